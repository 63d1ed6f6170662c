import { z } from 'zod'

const envelopeSchema = z
  .object({
    errors: z.array(
      z.object({
        code: z.string(),
        message: z.string(),
        detail: z.record(z.string(), z.unknown()).optional(),
      }),
    ),
  })
  .meta({ id: 'RegistryErrors', description: 'OCI distribution-spec, "Error Codes"' })

/** A failure as the registry tells it. */
export const told = (description: string) => ({
  description,
  content: { 'application/json': { schema: envelopeSchema } },
})

/** Where there are credentials. */
export const unwelcome = {
  '401': told('Credentials are missing or wrong; WWW-Authenticate tells how to come in'),
  '403': told('The caller may not do this'),
  '429': told('Too many failed attempts from this address'),
  '503': told('It cannot be found out at present who the caller is, or the storage is away'),
}
