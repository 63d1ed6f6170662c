/** The formats an image may have once it is unwrapped (formats.md). */
export const formats = ['qcow2', 'raw', 'iso', 'vmdk', 'vdi', 'vhd', 'vhdx'] as const
export type Format = (typeof formats)[number]

export function isFormat(text: string): text is Format {
  return formats.some((format) => format === text)
}

/** Whether the file as it is is the disk that the guest sees. */
export function isItsFile(format: Format): boolean {
  return format === 'raw' || format === 'iso'
}

/** The extension of `disk/disk.<ext>` inside the layer (image-lifecycle, "What is stored"). */
export function extensionOf(format: Format): string {
  return format === 'raw' ? 'img' : format
}

/** Architectures in GOARCH words, as the OCI image configuration wants them. */
export type Architecture = 'amd64' | 'arm64' | 'arm' | '386' | 'riscv64' | 'loong64'

/** One fact about an image that is told in `details`: only JSON, so that it can be stored and shown as it is. */
export type Detail =
  | string
  | number
  | boolean
  | readonly Detail[]
  | { readonly [name: string]: Detail }

/** What inspection found out about a disk. */
export type Facts = {
  readonly format: Format
  /** Bytes the guest sees: the virtual size of the header, or the file's length for raw and iso. */
  readonly unpackedBytes: number
  /** Bytes of those for which the file holds data; null where no table tells, or where it was not followed. */
  readonly allocatedBytes: number | null
  readonly bootable: 'yes' | 'no' | 'unknown'
  readonly architecture: Architecture | null
  readonly details: { readonly [name: string]: Detail }
}
