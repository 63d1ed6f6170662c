import { z } from 'zod'
import {
  containerImageSection,
  dataSourceSchema,
  httpSection,
  objectRefSection,
  sections,
  uploadSection,
  type SourceType,
} from './data-source.ts'
import { longestName, namePattern } from './name.ts'
import { referencePattern } from './reference.ts'
import { conditionSchema, statusSchema } from './status.ts'

/**
 * The custom resource ClusterVirtualImage (kubernetes, "The resource"): what REST takes and answers, with secrets named in
 * place of credentials. These schemas make its definition; what CEL has to say stands in them as Kubernetes writes it.
 */

/** A rule in CEL, with a message or an expression that makes one. */
export type Rule = {
  readonly rule: string
  readonly message?: string
  readonly messageExpression?: string
  /** Where the fault lies, below the place of the rule. */
  readonly fieldPath?: string
  /** `oldSelf` is an optional then, and the rule is asked at creation, too. */
  readonly optionalOldSelf?: true
}

function rules(...all: readonly Rule[]) {
  return { 'x-kubernetes-validations': all }
}

/** Kubernetes, "Object Names and IDs": a subdomain of RFC 1123, and a label. */
const objectName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
const namespaceName = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)

const secretName = z.strictObject({ name: objectName, namespace: namespaceName })

const caBundle = httpSection.shape.caBundle.meta({
  format: 'byte',
  ...rules({
    rule: inBase64('-----BEGIN CERTIFICATE-----')
      .map((text) => `self.contains('${text}')`)
      .join(' || '),
    message: 'caBundle must be base64 of a PEM chain.',
  }),
})

/** How a text looks within base64, by what its place leaves when it is divided by three; bits of its neighbours are cut off. */
function inBase64(text: string): readonly string[] {
  return [0, 1, 2].map((place) => {
    const bytes = Buffer.from('\0'.repeat(place) + text)
    const whole = Math.floor((bytes.length * 8) / 6)
    return bytes.toString('base64').slice(Math.ceil((place * 8) / 6), whole)
  })
}

const http = httpSection
  .omit({ auth: true })
  .extend({
    url: httpSection.shape.url.regex(/^https?:\/\/\S+$/),
    caBundle,
    secretRef: secretName.optional().meta({
      description:
        'The secret with what the source asks for: username and password, or token, or headers as lines',
    }),
  })
  .meta({ description: 'A file at a URL; for the type HTTP' })

const containerImage = containerImageSection
  .omit({ auth: true })
  .extend({
    image: containerImageSection.shape.image.meta(
      rules({
        rule: `self.matches(r'${referencePattern}')`,
        message: 'image must be a reference such as registry.example.com/team/image:tag.',
      }),
    ),
    caBundle,
    imagePullSecret: secretName.optional().meta({
      description: 'The secret with the credentials, of the type kubernetes.io/dockerconfigjson',
    }),
  })
  .meta({ description: 'A disk in a container image; for the type ContainerImage' })

/** All that the platform's own resource takes; the companion tells which of them it cannot follow. */
const objectKinds = [
  'ClusterVirtualImage',
  'VirtualImage',
  'VirtualDisk',
  'VirtualDiskSnapshot',
] as const

const objectRef = objectRefSection
  .extend({
    kind: z.enum(objectKinds).default('ClusterVirtualImage').meta({
      description:
        'ClusterVirtualImage; an image of any other kind fails, since those need controllers of the platform',
    }),
    name: objectName,
    namespace: namespaceName.optional().meta({
      description: 'Where the other resource is; a ClusterVirtualImage is in none',
    }),
  })
  .meta({
    description: 'Another image, whose bytes are shared; for the type ObjectRef',
    ...rules({
      rule: `self.kind != 'ClusterVirtualImage' || (size(self.name) <= ${longestName} && self.name.matches(r'${namePattern.source}'))`,
      message: `name must be the one of a ClusterVirtualImage: 1 to ${longestName} of a-z, 0-9 and hyphens.`,
    }),
  })

const upload = uploadSection.meta({
  description: 'A file that is sent by curl; may be given with the type Upload',
})

const dataSource = z
  .strictObject({
    type: dataSourceSchema.shape.type.meta({ description: 'Which of the sections is meant' }),
    http: http.optional(),
    containerImage: containerImage.optional(),
    objectRef: objectRef.optional(),
    upload: upload.optional(),
  })
  .meta({
    description: 'Where the image comes from; the one section that belongs to the type',
    ...rules(...dataSourceSchema.shape.type.options.map(ownSection)),
  })

/** A section is required by its type and refused by all others; an upload needs none. */
function ownSection(type: SourceType): Rule {
  const others = dataSourceSchema.shape.type.options.filter((other) => other !== type)
  const section = sections[type]
  const needed = type === 'Upload' ? [] : [`has(self.${section})`]
  const absent = others.map((other) => `!has(self.${sections[other]})`)
  const cannot = `cannot have ${others.slice(0, -1).join(', ')} or ${others.at(-1)}.`
  return {
    rule: `self.type != '${type}' || (${[...needed, ...absent].join(' && ')})`,
    message: `${type} ${type === 'Upload' ? '' : `requires ${section} and `}${cannot}`,
  }
}

export const clusterVirtualImageSpec = z.strictObject({ dataSource }).meta(
  rules({
    rule: 'self == oldSelf',
    message: 'ClusterVirtualImage spec cannot be changed; delete it and create it again.',
  }),
)

/** The companion says what it knows: while the service cannot be reached, that is its conditions alone. */
export const clusterVirtualImageStatus = statusSchema.partial().extend({
  conditions: z
    .array(conditionSchema)
    .max(16)
    .optional()
    .meta({
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    }),
  sourceUID: z.string().optional().meta({ description: 'The uid of what objectRef names' }),
  observedGeneration: z.int().optional().meta({ description: 'Which generation this is about' }),
})

const isInvalid = "'the ClusterVirtualImage name \"' + self.metadata.name + '\" is invalid: "

/**
 * What goes for the resource as a whole, at its creation: neither name nor spec change later, and one that is there from before
 * a rule must not be kept from losing its finalizer.
 */
export const clusterVirtualImageRules: readonly Rule[] = [
  {
    ...atCreation("!self.metadata.name.contains('.')"),
    fieldPath: '.metadata.name',
    messageExpression: `${isInvalid}' + "'.' is forbidden"`,
  },
  {
    ...atCreation(`size(self.metadata.name) <= ${longestName}`),
    fieldPath: '.metadata.name',
    messageExpression: `${isInvalid}it must be no longer than ${longestName} characters'`,
  },
  {
    ...atCreation(
      "!has(self.spec.dataSource.objectRef) || self.spec.dataSource.objectRef.kind != 'ClusterVirtualImage' || self.spec.dataSource.objectRef.name != self.metadata.name",
    ),
    fieldPath: '.spec.dataSource.objectRef.name',
    message: 'A ClusterVirtualImage cannot be made of itself.',
  },
]

function atCreation(rule: string): Rule {
  return { rule: `oldSelf.hasValue() || ${rule}`, optionalOldSelf: true }
}
