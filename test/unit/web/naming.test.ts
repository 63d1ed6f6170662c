import { expect, test } from 'vitest'
import { nameOfFile, nameProblem } from '../../../src/image/name.ts'
import { nameOf, suggested } from '../../../src/serve/web/browser/naming.js'

test.each([
  ['ubuntu-24.04-server.iso', 'ubuntu-24-04-server'],
  ['First Disk.ISO', 'first-disk'],
  ['disk.tar.gz', 'disk'],
  ['disk.qcow2.xz', 'disk'],
  ['notes.txt', 'notes-txt'],
  ['.iso', 'image'],
  ['образ.iso', 'image'],
  [`${'a'.repeat(189)}-b.img`, 'a'.repeat(189)],
])('a file %j may be called %j', (file, name) => {
  expect(nameOf(file)).toBe(name)
  expect(nameOfFile(file)).toBe(name)
  expect(nameProblem(name)).toBe(null)
})

test.each([
  ['https://example.com/pub/debian-12.qcow2?x=1', 'debian-12'],
  ['https://example.com/', ''],
  ['registry.example.com/team/ubuntu:22.04', 'ubuntu-22-04'],
  ['registry.example.com/team/ubuntu@sha256:abc', 'ubuntu'],
  ['', ''],
])('what is at %j may be called %j', (place, name) => {
  expect(suggested(place)).toBe(name)
})
