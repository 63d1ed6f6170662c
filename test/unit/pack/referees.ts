import { spawnSync } from 'node:child_process'

/** One line of a listing. `mtime` is the start of 1970 in UTC, or whatever else the program prints. */
type Listed = {
  readonly mode: string
  readonly owner: string
  readonly size: number
  readonly mtime: string
  readonly name: string
}

/** A program of others that reads tars. It complains by throwing; `input` is the archive when its path is `-`. */
export type Referee = {
  readonly program: string
  readonly present: boolean
  /** Without it, continuous integration fails instead of skipping. */
  readonly required: boolean
  /** How many random layers it is asked about; to start Python takes a third of a second. */
  readonly runs: number
  list(path: string, input?: Buffer): Listed[]
  extract(name: string, archive: Buffer): Buffer
}

/** `-r--r--r-- 107/107 1500 1970-01-01 00:00 disk/disk.img` */
const gnuLine = /^(?<mode>\S+) (?<owner>\S+) +(?<size>\d+) (?<mtime>\S+ \S+) (?<name>.*)$/

/** `-r--r--r--  0 107    107      1500 Jan  1  1970 disk/disk.img` */
const bsdLine =
  /^(?<mode>\S+) +\d+ (?<uid>\d+) +(?<gid>\d+) +(?<size>\d+) (?<mtime>\w+ +\d+ +\S+) (?<name>.*)$/

/** Lists in GNU tar's form; with a name as its second argument it writes that file to stdout. */
const pythonScript = `
import shutil, stat, sys, tarfile, time
path, *wanted = sys.argv[1:]
archive = tarfile.open(fileobj=sys.stdin.buffer, mode='r|') if path == '-' else tarfile.open(path)
for entry in archive:
    if entry.name in wanted:
        shutil.copyfileobj(archive.extractfile(entry), sys.stdout.buffer)
    if not wanted:
        mode = stat.filemode((stat.S_IFDIR if entry.isdir() else stat.S_IFREG) | entry.mode)
        day = time.strftime('%Y-%m-%d %H:%M', time.gmtime(entry.mtime))
        name = entry.name + ('/' if entry.isdir() else '')
        print(mode, f'{entry.uid}/{entry.gid}', entry.size, day, name)
`

export const referees: readonly Referee[] = [
  {
    program: 'GNU tar',
    present: isThere('tar', 'GNU tar'),
    required: true,
    runs: 40,
    list: (path, input) => parse(gnuLine, run('tar', ['--numeric-owner', '-tvf', path], input)),
    extract: (name, archive) => run('tar', ['-xOf', '-', name], archive),
  },
  {
    program: 'bsdtar',
    present: isThere('bsdtar', 'bsdtar'),
    required: false,
    runs: 40,
    list: (path, input) => parse(bsdLine, run('bsdtar', ['--numeric-owner', '-tvf', path], input)),
    extract: (name, archive) => run('bsdtar', ['-xOf', '-', name], archive),
  },
  {
    program: "Python's tarfile",
    present: isThere('python3', 'Python 3'),
    required: false,
    runs: 8,
    list: (path, input) => parse(gnuLine, run('python3', ['-c', pythonScript, path], input)),
    extract: (name, archive) => run('python3', ['-c', pythonScript, '-', name], archive),
  },
]

function isThere(program: string, says: string): boolean {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000 })
  return stdout?.includes(says) ?? false
}

/** GNU tar only warns of an archive that ends too early, so a line on stderr is a failure too. */
function run(program: string, args: string[], input?: Buffer): Buffer {
  const { stdout, stderr, status } = spawnSync(program, args, {
    ...(input && { input }),
    env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' },
    timeout: 20_000,
  })
  if (status === 0 && stderr.length === 0) return stdout
  throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr.toString()}`)
}

function parse(pattern: RegExp, output: Buffer): Listed[] {
  return output
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { mode, owner, uid, gid, size, mtime, name } = pattern.exec(line)?.groups ?? {}
      return {
        mode: mode ?? line,
        owner: owner ?? `${uid}/${gid}`,
        size: Number(size),
        mtime: mtime === 'Jan  1  1970' ? '1970-01-01 00:00' : (mtime ?? ''),
        name: name ?? '',
      }
    })
}
