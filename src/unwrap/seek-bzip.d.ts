/** The part of seek-bzip that is used; the package has no types of its own. */
declare module 'seek-bzip' {
  interface Input {
    readByte(): number
    /** Gives the bytes read. */
    read(buffer: Uint8Array, offset: number, length: number): number
  }

  interface Output {
    writeByte(byte: number): void
  }

  const bunzip: {
    /** Decodes one stream, checks its sums, and leaves what is behind it unread. */
    decode(input: Input, output: Output): void
  }
  export default bunzip
}
