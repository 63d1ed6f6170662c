import type { Architecture } from '../image/format.ts'

type PartitionType = {
  readonly name: string
  readonly architecture?: Architecture
  /** Whether firmware starts from such a partition. */
  readonly boots?: true
}

/** UEFI specification, 5.3.3; the Discoverable Partitions Specification (root partitions tell the architecture). */
const types: { readonly [guid: string]: PartitionType } = {
  'c12a7328-f81f-11d2-ba4b-00a0c93ec93b': { name: 'EFI system', boots: true },
  '21686148-6449-6e6f-744e-656564454649': { name: 'BIOS boot', boots: true },
  '0fc63daf-8483-4772-8e79-3d69d8477de4': { name: 'Linux' },
  '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f': { name: 'Linux swap' },
  'e6d6d379-f507-44c2-a23c-238f2a3df928': { name: 'Linux LVM' },
  'a19d880f-05fc-4d3b-a006-743f0f84911e': { name: 'Linux RAID' },
  'bc13c2ff-59e6-4262-a352-b275fd6f7172': { name: 'Linux /boot' },
  'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7': { name: 'Microsoft basic data' },
  'e3c9e316-0b5c-4db8-817d-f92df00215ae': { name: 'Microsoft reserved' },
  'de94bba4-06d1-4d40-a16a-bfd50179d6ac': { name: 'Windows recovery' },
  '516e7cb6-6ecf-11d6-8ff8-00022d09712b': { name: 'FreeBSD UFS' },
  '516e7cba-6ecf-11d6-8ff8-00022d09712b': { name: 'FreeBSD ZFS' },
  '4f68bce3-e8cd-4db1-96e7-fbcaf984b709': { name: 'Linux root (x86-64)', architecture: 'amd64' },
  '44479540-f297-41b2-9af7-d131d5f0458a': { name: 'Linux root (x86)', architecture: '386' },
  'b921b045-1df0-41c3-af44-4c6f280d3fae': { name: 'Linux root (arm64)', architecture: 'arm64' },
  '69dad710-2ce4-4e3c-b16c-21a1d49abed3': { name: 'Linux root (arm)', architecture: 'arm' },
  '72ec70a6-cf74-40e6-bd49-4bda08e8f224': { name: 'Linux root (riscv64)', architecture: 'riscv64' },
  '77055800-792c-4f94-b39a-98c91b762bb6': { name: 'Linux root (loong64)', architecture: 'loong64' },
}

/** What is known of a type; a type that is not known goes by its GUID. */
export function gptType(guid: string): PartitionType {
  return types[guid] ?? { name: guid }
}
