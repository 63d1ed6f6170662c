import type { S3Client } from '@aws-sdk/client-s3'
import type { S3Metrics } from '../../metrics/s3.ts'

/** Tells the metrics of every request that goes out, those that the SDK tries again among them. */
export function count(client: S3Client, metrics: S3Metrics): void {
  client.middlewareStack.add(
    (next, { commandName = 'Unknown' }) =>
      async (args) => {
        const operation = commandName.replace(/Command$/, '')
        const begun = performance.now()
        const told = (outcome: string) =>
          metrics.asked(operation, outcome, (performance.now() - begun) / 1000)
        try {
          const answer = await next(args)
          told(String(statusOf(answer.response) ?? 200))
          return answer
        } catch (error) {
          told(outcomeOf(error))
          throw error
        }
      },
    // Within the retries, which are a step of their own.
    { step: 'deserialize', priority: 'high', name: 'count' },
  )
}

/** What the client of this service does not wait for any longer is nobody's failure. */
function outcomeOf(error: unknown): string {
  const isGivenUp = error instanceof Error && error.name === 'AbortError'
  return String(statusOfError(error) ?? (isGivenUp ? 'aborted' : 'none'))
}

function statusOf(response: unknown): number | null {
  if (typeof response !== 'object' || response === null || !('statusCode' in response)) return null
  return typeof response.statusCode === 'number' ? response.statusCode : null
}

function statusOfError(error: unknown): number | null {
  if (typeof error !== 'object' || error === null) return null
  if ('$response' in error) return statusOf(error.$response)
  return null
}
