import { dirname, resolve } from 'node:path'
import { load, YAMLException } from 'js-yaml'
import { z } from 'zod'
import { unreadable, type Origin } from '../../env/file-lines.ts'
import { parseDuration } from '../../image/duration.ts'
import { compileGlob } from '../../image/glob.ts'
import { keyOf, secretShape } from './signature.ts'
import { forms, typesOf, type Subscriber } from './subscriber.ts'

/** Each may have four requests under way. */
const mostSubscribers = 50
const mostGlobs = 100
const longestTimeout = 60_000

const globs = (what: RegExp) =>
  z
    .array(
      z
        .string()
        .max(255)
        .regex(what, 'is no such name with * or ** in it')
        .refine((text) => !text.includes('***'), { error: 'has three stars in a row' }),
    )
    .min(1)
    .max(mostGlobs)

const secret = z.string().transform((text, context) => {
  const key = keyOf(text)
  if (key) return key
  context.addIssue({ code: 'custom', message: secretShape })
  return z.NEVER
})

const url = z.string().transform((text, context) => {
  const url = URL.parse(text)
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password) return url
  context.addIssue({ code: 'custom', message: 'must be an http or https URL without user-info' })
  return z.NEVER
})

const timeout = z.string().transform((text, context) => {
  const duration = parseDuration(text)
  if (duration !== null && duration > 0 && duration <= longestTimeout) return duration
  context.addIssue({ code: 'custom', message: 'must be a duration up to 60s, such as 10s' })
  return z.NEVER
})

const path = z.string().min(1)

const entry = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, {
      error: 'must be up to 63 lower-case letters, digits and hyphens',
    }),
    url,
    form: z.enum(forms),
    events: globs(/^[a-z.*]+$/).default(['**']),
    images: globs(/^[a-z0-9*-]+$/).default(['**']),
    repositories: globs(/^(?:[a-z0-9._*-]|\/(?=[^/]))+$/).default(['**']),
    secret: secret.optional(),
    secretFile: path.optional(),
    headersFile: path.optional(),
    caFile: path.optional(),
    timeout: timeout.default(10_000),
  })
  .refine(({ secret, secretFile }) => !secret || !secretFile, {
    path: ['secretFile'],
    error: 'stands beside secret; give one of them',
  })
  .superRefine(({ form, events }, context) => {
    for (const [index, text] of events.entries()) {
      if (typesOf[form].some((type) => compileGlob(text).matches(type))) continue
      const message = `is none of what the form ${form} tells: ${typesOf[form].join(', ')}`
      context.addIssue({ code: 'custom', path: ['events', index], message })
    }
  })

const schema = z.strictObject({
  subscribers: z
    .array(entry)
    .max(mostSubscribers)
    .superRefine((entries, context) => {
      for (const [index, { name }] of entries.entries()) {
        if (entries.findIndex((other) => other.name === name) === index) continue
        const message = 'is the name of one before'
        context.addIssue({ code: 'custom', path: [index, 'name'], message })
      }
    }),
})

const shape = '{"subscribers": [{"name": "ci", "url": "https://…", "form": "cloudevents"}]}'

/**
 * Who wants to be told what, as JSON or YAML. Files beside it are named from where it lies.
 * @throws Refusal that names the file and what is wrong where, and shows no value
 */
export function parseSubscribers(text: string, origin: Origin): readonly Subscriber[] {
  const result = schema.safeParse(document(text, origin))
  const beside = (path: string | undefined) =>
    path === undefined ? null : resolve(dirname(origin.path), path)
  if (result.success) {
    return result.data.subscribers.map(({ secret, ...rest }) => ({
      ...rest,
      secrets: secret ? [secret] : [],
      secretFile: beside(rest.secretFile),
      headersFile: beside(rest.headersFile),
      caFile: beside(rest.caFile),
    }))
  }
  const told = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw unreadable(origin, null, `${told.slice(0, 3).join('; ')}; it looks like ${shape}`)
}

function document(text: string, origin: Origin): unknown {
  try {
    return load(text)
  } catch (error) {
    // Its own message shows the lines around, and they may hold a secret.
    const line = error instanceof YAMLException ? (error.mark?.line ?? null) : null
    const at = line === null ? null : line + 1
    throw unreadable(origin, at, `it is neither JSON nor YAML; it looks like ${shape}`)
  }
}
