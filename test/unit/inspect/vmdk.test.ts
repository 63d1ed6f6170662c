import { describe, expect, test } from 'vitest'
import { inspect, refusal, verdict } from '../../fixtures/verdict.ts'
import { descriptor, streamOptimized, vmdk, type VmdkOptions } from '../../fixtures/vmdk.ts'

const mostly: VmdkOptions = { descriptorSize: 120n, directory: 200n, secondDirectory: 205n }

describe('a VMDK', () => {
  test('in one file is accepted, and tells its type and the size in its header', () => {
    expect(inspect(vmdk())).toEqual({
      format: 'vmdk',
      unpackedBytes: 4_194_304,
      allocatedBytes: null,
      bootable: 'unknown',
      architecture: null,
      details: { createType: 'monolithicSparse' },
    })
    expect(inspect(streamOptimized())).toMatchObject({
      unpackedBytes: 4_194_304,
      details: { createType: 'streamOptimized' },
    })
  })

  test.each<[string, VmdkOptions]>([
    ['version 1', { version: 1 }],
    ['version 3', { version: 3 }],
    ['the smallest grains', { grain: 8n, tableEntries: 1, ...mostly, directory: 130n }],
    ['the largest grains', { grain: 128n }],
    ['the smallest tables', { tableEntries: 1, ...mostly }],
    ['a directory at the very end of the file', { directory: 255n }],
    ['no second directory, whatever its offset says', { flags: 1, secondDirectory: 999_999n }],
    ['no line ends to look at', { flags: 2, lineEnds: '\n \n ' }],
    ['one sector', { capacity: 1n }],
  ])('with %s is accepted', (_title, options) => {
    expect(verdict(vmdk(options))).toBe('accepted')
  })

  test.each<[string, VmdkOptions, string]>([
    ['version 0', { version: 0 }, 'UNSUPPORTED_FORMAT'],
    ['version 4', { version: 4 }, 'UNSUPPORTED_FORMAT'],
    ['no size', { capacity: 0n }, 'EXTERNAL_REFERENCE'],
    ['no descriptor', { descriptorOffset: 0n, descriptorSize: 0n }, 'EXTERNAL_REFERENCE'],
    ['its descriptor elsewhere', { descriptorOffset: 2n }, 'INVALID_HEADER'],
    ['too long a descriptor', { descriptorSize: 2049n }, 'INVALID_HEADER'],
    ['a descriptor behind its end', { descriptorSize: 256n }, 'INVALID_HEADER'],
    ['too small grains', { grain: 4n }, 'INVALID_HEADER'],
    ['too large grains', { grain: 256n }, 'INVALID_HEADER'],
    ['grains of no power of 2', { grain: 24n }, 'INVALID_HEADER'],
    ['no table entries', { tableEntries: 0 }, 'INVALID_HEADER'],
    ['too many table entries', { tableEntries: 513 }, 'INVALID_HEADER'],
    ['another compression', { compression: 2 }, 'INVALID_HEADER'],
    ['compression that its flags deny', { compression: 1 }, 'INVALID_HEADER'],
    ['flags that its compression denies', { flags: 0x1_0003 }, 'INVALID_HEADER'],
    ['line ends of a text transfer', { lineEnds: '\n \n\0' }, 'INVALID_HEADER'],
    ['its directory in the header', { directory: 0n }, 'INVALID_HEADER'],
    ['its directory behind the end', { directory: 256n }, 'INVALID_HEADER'],
    ['its second directory behind the end', { secondDirectory: 256n }, 'INVALID_HEADER'],
    ['grains behind the end', { grainsOffset: 257n }, 'INVALID_HEADER'],
    ['a size past the limit', { capacity: 2n ** 31n + 1n }, 'VIRTUAL_SIZE_LIMIT'],
    ['a size past all numbers', { capacity: 2n ** 64n - 1n }, 'VIRTUAL_SIZE_LIMIT'],
    [
      'a directory that only a footer tells, and none',
      { directory: 2n ** 64n - 1n },
      'INVALID_HEADER',
    ],
  ])('with %s is refused', (_title, options, code) => {
    const file = vmdk(options)
    expect(verdict(file)).toBe(code)
    expect(verdict(file, file.length)).toBe(code)
  })

  test.each([
    ['a flat file', descriptor({ extents: ['RW 4 FLAT "/etc/passwd" 0'] })],
    ['a path', descriptor({ extents: ['RW 8192 SPARSE "/etc/passwd"'] })],
    ['a path on Windows', descriptor({ extents: ['RW 8192 SPARSE "..\\secret"'] })],
    ['a name with a NUL', descriptor({ extents: ['RW 8192 SPARSE "a\0b"'] })],
    ['two extents', descriptor({ extents: ['RW 4 SPARSE "a"', 'RW 4 SPARSE "b"'] })],
    ['zeros that are no file', descriptor({ extents: ['RW 8192 ZERO'] })],
    ['no extent', descriptor({ extents: [] })],
    ['an extent hidden behind a NUL', `${descriptor()}\0RW 4 FLAT "/etc/passwd" 0`],
    ['a parent by its id', descriptor({ parent: '12345678' })],
    ['a parent by its name', descriptor({ more: 'parentFileNameHint="/etc/passwd"' })],
    [
      'a parent in a comment, where QEMU finds it',
      descriptor({ more: '# parentFileNameHint="x"' }),
    ],
    ['a type of many files', descriptor({ createType: 'twoGbMaxExtentSparse' })],
    ['a flat type', descriptor({ createType: 'vmfs' })],
  ])('that names %s is refused as a reference to other files', (_title, text) => {
    expect(verdict(vmdk({}, text))).toBe('EXTERNAL_REFERENCE')
  })

  test('that says a thing twice, or not at all, is refused', () => {
    for (const more of ['createType="streamOptimized"', 'parentCID=ffffffff']) {
      expect(verdict(vmdk({}, descriptor({ more })))).toBe('INVALID_HEADER')
    }
    expect(verdict(vmdk({}, 'RW 8192 SPARSE "disk.vmdk"'))).toBe('INVALID_HEADER')
  })

  test('that is encrypted is refused as such', () => {
    const text = descriptor({ more: 'encryption.keySafe = "vmware:key/list/..."' })
    expect(verdict(vmdk({}, text))).toBe('ENCRYPTED_IMAGE')
  })

  test.each<[string, VmdkOptions]>([
    ['size', { capacity: 9000n }],
    ['version', { version: 1 }],
    ['descriptor', { descriptorOffset: 2n }],
    ['grains', { grain: 64n }],
    ['compression', { compression: 0 }],
  ])('whose two headers contradict each other in %s is refused', (_title, last) => {
    expect(verdict(streamOptimized({}, last))).toBe('EXTERNAL_REFERENCE')
    // The footer counts only where the header sends readers to it, but some look for it anyway.
    expect(verdict(streamOptimized({ directory: 26n }, last))).toBe('EXTERNAL_REFERENCE')
  })

  test('whose footer does not tell what it is for is refused', () => {
    for (const directory of [0n, 2n ** 64n - 1n, 99_999n]) {
      expect(verdict(streamOptimized({}, { directory }))).toBe('INVALID_HEADER')
    }
  })

  test('that was cut short is refused', () => {
    const file = streamOptimized()
    for (const cut of [1, 512, 1024, 1536, 60_000]) {
      expect(verdict(file.subarray(0, file.length - cut))).toBe('INVALID_HEADER')
    }
  })

  test('is judged in a moment even when its descriptor is made to be slow', () => {
    for (const unit of ['\n', ' \t', 'createType', 'RW ', '\n RW 1 SPARSE "', 'parentCID=']) {
      const text = unit.repeat(Math.floor(1_048_000 / unit.length))
      const file = Buffer.alloc(2_200_000)
      file.set(vmdk({ descriptorSize: 2047n, directory: 3000n, secondDirectory: 3010n }))
      file.write(text, 512, 'latin1')
      // A quadratic search in 1 MiB would take minutes, far past this test's time limit.
      expect(refusal(() => inspect(file))).toHaveProperty('code')
    }
  })
})
