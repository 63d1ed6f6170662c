import type { Architecture } from '../image/format.ts'
import type { Windows } from './windows.ts'

/** UEFI specification, 3.5.1.1: the file a removable medium starts from. */
const architectures: { readonly [suffix: string]: Architecture } = {
  X64: 'amd64',
  AA64: 'arm64',
  IA32: '386',
  ARM: 'arm',
  RISCV64: 'riscv64',
  LOONGARCH64: 'loong64',
}

/** The name as ISO 9660 and UDF write it, and as a FAT directory does: eight characters, padded, and three. */
const names =
  /BOOT(?:(X64|AA64|IA32|ARM|RISCV64|LOONGARCH64)\.EFI|(X64) EFI|(AA64|IA32)EFI|(ARM) EFI)/gi

/** The architecture of the one EFI boot file that is seen in a window; null when none is, or several. */
export function bootArchitecture(windows: Windows): Architecture | null {
  const found = new Set(windows.kept().flatMap(architecturesIn))
  // Media for amd64 often carry a 32-bit loader for old firmware.
  if (found.has('amd64')) found.delete('386')
  const [only] = found
  return found.size === 1 && only !== undefined ? only : null
}

function architecturesIn(bytes: Buffer): readonly Architecture[] {
  return [...bytes.toString('latin1').matchAll(names)].flatMap((match) => {
    const suffix = match.slice(1).find((group) => group !== undefined)
    const architecture = architectures[suffix?.toUpperCase() ?? '']
    return architecture ? [architecture] : []
  })
}
