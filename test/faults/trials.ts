/** One fault that is tried again and again. */
export type TrialRow = {
  /** As the campaign's table tells it: what happens to the service, and where. */
  readonly fault: string
  /** What is counted. */
  readonly unit: string
  /** How often without a campaign: what CI does, with a fixed seed. */
  readonly rounds: number
  /** Of a campaign's minutes, beside those of all others. */
  readonly share: number
}

/** Every fault that is tried. A further one is a row here, and a test that plays it. */
export const trials = {
  // The process.
  'kill-files': {
    fault: 'kill -9 of the service under eight clients, blobs in files',
    unit: 'kills',
    rounds: 6,
    share: 4,
  },
  'kill-s3': {
    fault: 'kill -9 of the service under eight clients, blobs in S3',
    unit: 'kills',
    rounds: 5,
    share: 4,
  },
  'kill-commands': {
    fault: 'kill -9 of a migration, rebuild, gc, scrub, backup and copy-store',
    unit: 'kills',
    rounds: 6,
    share: 1,
  },
  'kill-start': {
    fault: 'kill -9 while the service starts',
    unit: 'kills',
    rounds: 3,
    share: 1,
  },
  // Power.
  'power-lost': {
    fault: 'the power goes, and nothing is there that was not synced',
    unit: 'power cuts',
    rounds: 1,
    share: 2,
  },
  'power-torn': {
    fault: 'the power goes, and of what was not synced any part is there, torn at 512 bytes',
    unit: 'power cuts',
    rounds: 1,
    share: 2,
  },
  // Disks.
  'disk-each-call': {
    fault:
      'a write, sync or rename of blobs or catalog that the disk fails (ENOSPC, EIO, EROFS, EDQUOT)',
    unit: 'failures',
    rounds: 45,
    share: 3,
  },
  'disk-start': {
    fault: 'a write, sync or rename that the disk fails while the service starts',
    unit: 'failures',
    rounds: 5,
    share: 1,
  },
  'disk-read': {
    fault: 'a read of blobs that the disk fails (EIO) while clients pull and a scrub runs',
    unit: 'failures',
    rounds: 60,
    share: 1,
  },
  'disk-readonly': {
    fault: 'an ext4 that finds an error in itself and becomes read-only under a running service',
    unit: 'disks',
    rounds: 1,
    share: 1,
  },
  'disk-full': {
    fault: 'a disk that others fill to the last byte and free again, while clients work',
    unit: 'times full',
    rounds: 6,
    share: 1,
  },
  'disk-commands': {
    fault: 'a command (backup, copy-store, images download) onto a full disk',
    unit: 'commands',
    rounds: 3,
    share: 1,
  },
  // Connections.
  'network-client': {
    fault: 'connections of clients that break, stall, crawl and say everything twice',
    unit: 'images sent and read',
    rounds: 100,
    share: 2,
  },
  'network-s3': {
    fault: 'connections to S3 that break, stall and crawl',
    unit: 'images stored and read',
    rounds: 20,
    share: 1,
  },
  'network-source': {
    fault:
      'connections to sources that break, stall, crawl and say everything twice, and sources that change meanwhile',
    unit: 'imports',
    rounds: 100,
    share: 1,
  },
  'network-api-server': {
    fault:
      "the companion's connections, to the API server and to the service, break, stall, crawl and say everything twice",
    unit: 'resources brought to their end',
    rounds: 4,
    share: 1,
  },
  // Time.
  'clock-jumps': {
    fault:
      'the clock jumps by up to a day, back and forward, while uploads, imports and pushes wait',
    unit: 'jumps',
    rounds: 4,
    share: 1,
  },
  // Many at once.
  load: {
    fault:
      '2 737 clients at once: polls (each every ten seconds), streams, pushes, pulls, imports, uploads, deletions, collections',
    unit: 'answers',
    rounds: 1,
    share: 3,
  },
  descriptors: {
    fault: 'so many clients at once that no file and no connection can be opened (EMFILE)',
    unit: 'times',
    rounds: 6,
    share: 1,
  },
  // What comes in at the door.
  'door-smuggling': {
    fault:
      'a request that two could read in two ways, with another one inside: directly, over TLS, behind nginx',
    unit: 'attempts',
    rounds: 7,
    share: 1,
  },
  'door-slow': {
    fault:
      'clients that take for ever: for a handshake, a head, a body, an answer, at each listener',
    unit: 'clients',
    rounds: 1,
    share: 1,
  },
  'door-headers': {
    fault:
      'targets, fields, cookies and trailers that are too large, or almost; many requests one behind the other',
    unit: 'requests',
    rounds: 3,
    share: 1,
  },
  'door-paths': {
    fault:
      'names that lead elsewhere: in targets, documents, archives, and file names of a download',
    unit: 'requests',
    rounds: 6,
    share: 1,
  },
  'door-aborts': {
    fault: 'clients that break off anywhere: in a head, a body, an answer, over every route',
    unit: 'connections',
    rounds: 4,
    share: 1,
  },
  'fuzz-admission': {
    fault: 'reviews by a grammar, at the webhooks of the companion',
    unit: 'reviews',
    rounds: 2,
    share: 1,
  },
  'fuzz-openapi': {
    fault: 'whatever the OpenAPI document lets one ask, and what it does not (schemathesis)',
    unit: 'requests',
    rounds: 1,
    share: 2,
  },
  'fuzz-routes': {
    fault: 'bad requests by a grammar, at every route: methods, paths, queries, headers, bodies',
    unit: 'requests',
    rounds: 6,
    share: 2,
  },
  'fuzz-manifests': {
    fault: 'manifests by a grammar: wrong, odd, huge and valid ones, by tags and digests',
    unit: 'manifests',
    rounds: 4,
    share: 1,
  },
  'fuzz-images': {
    fault: 'damaged images of all formats and wrappings, by upload',
    unit: 'images',
    rounds: 2,
    share: 1,
  },
  // Several writers.
  'two-services': {
    fault:
      'further services and commands on the data folder of one that works, starts or is killed',
    unit: 'times',
    rounds: 5,
    share: 1,
  },
  'two-collectors': {
    fault:
      'collections and scrubs at once, by command and by request, beside pushes, uploads and deletions',
    unit: 'runs',
    rounds: 1,
    share: 1,
  },
  'two-controllers': {
    fault: 'one of two controllers is frozen, killed, stopped or cut off, or their clock jumps',
    unit: 'times',
    rounds: 2,
    share: 1,
  },
} as const satisfies { readonly [name: string]: TrialRow }

export type TrialName = keyof typeof trials
