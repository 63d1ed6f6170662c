import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DeleteObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { client, s3Credentials, startS3, type S3 } from '../../support/s3.ts'
import type { Bench, Contender, Measurement } from '../bench.ts'
import { distribution, startDockerRegistry } from '../peers/docker-registry.ts'
import { startSlipway } from '../peers/slipway.ts'
import { curl, type Program } from '../programs.ts'
import { pushesTo, uploadsTo } from './upload.ts'

const versitygw: Program = { name: 'versitygw', package: null, builtBy: '.ci/tools' }
const byItself = 'lib-storage'

/** As `upload`, with the bytes in S3: all on one server, beside which the SDK's own upload hashes nothing. */
export const s3Ingest: Measurement = {
  name: 's3-ingest',
  title: 'one client sends random data, until all of it is in S3 (versitygw)',
  unit: 'bytes',
  needs: [curl, versitygw],
  targets: [],
  async open(bench, resources) {
    const s3 = resources.use(await startS3(bench.folder))
    return {
      bytes: bench.file.size,
      contenders: [
        await bySlipway(s3, bench, resources),
        bySdk(s3, bench),
        await bench.unlessMissing([distribution], () => byDistribution(s3, bench, resources)),
      ],
    }
  },
}

async function bySlipway(s3: S3, bench: Bench, resources: AsyncDisposableStack) {
  const home = join(bench.folder, 's3-slipway')
  return uploadsTo(await startSlipway(home, bench, resources, null, s3.variables('slipway')), bench)
}

/** With its own defaults: four parts of 5 MiB at a time, or larger ones where there would be too many. */
function bySdk({ endpoint, bucket: Bucket }: S3, { file, signal }: Bench): Contender {
  const s3 = client(endpoint)
  const at = { Bucket, Key: byItself }
  const run = async () => {
    const params = { ...at, Body: createReadStream(file.path), ContentLength: file.size }
    await new Upload({ client: s3, params }).done()
  }
  const end = async () => {
    const { ContentLength } = await s3.send(new HeadObjectCommand(at), { abortSignal: signal })
    if (ContentLength !== file.size) throw new Error(`${ContentLength} bytes are in S3`)
    await s3.send(new DeleteObjectCommand(at), { abortSignal: signal })
  }
  return { name: byItself, pid: null, begin: async () => ({ run, end }) }
}

async function byDistribution(s3: S3, bench: Bench, resources: AsyncDisposableStack) {
  const registry = await startDockerRegistry(join(bench.folder, 's3-registry'), bench, resources, {
    program: distribution,
    core: null,
    elsewhere: {
      // What is read back comes through the registry.
      storage: { s3: distributionS3(s3), redirect: { disable: true } },
      clear: () => rm(join(s3.folder, 'docker'), { recursive: true, force: true }),
    },
  })
  return pushesTo(registry, 'distribution', bench)
}

function distributionS3({ endpoint, bucket }: S3) {
  return {
    region: 'us-east-1',
    regionendpoint: endpoint,
    forcepathstyle: true,
    secure: false,
    bucket,
    accesskey: s3Credentials.accessKeyId,
    secretkey: s3Credentials.secretAccessKey,
  }
}
