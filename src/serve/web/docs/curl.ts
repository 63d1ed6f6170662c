import type { Operation, Parameter } from './document.ts'

/** Where the service is. Shells know it by this name, and the page's script puts the address in its place. */
export const place = '$SLIPWAY_URL'

/** The line that makes a call, with examples in the place of what it is about. */
export function curlOf(operation: Operation): string {
  const { method, security, requestBody } = operation
  const [media] = Object.entries(requestBody?.content ?? {})
  const parts = [
    'curl',
    ...methodOf(method, media !== undefined),
    `"${place}${pathOf(operation)}"`,
    ...(security.length > 0 ? ['-H "Authorization: Bearer $SLIPWAY_TOKEN"'] : []),
    ...operation.parameters.filter(isNeededHeader).map(headerOf),
    ...(media ? bodyOf(media[0], media[1].example) : []),
  ]
  return parts.join(' ')
}

function methodOf(method: string, hasBody: boolean): readonly string[] {
  if (method === 'HEAD') return ['-I']
  return method === (hasBody ? 'POST' : 'GET') ? [] : [`-X ${method}`]
}

function pathOf({ path, parameters }: Operation): string {
  const filled = path.replace(
    /\{([^}]+)\}/g,
    (whole, name) =>
      exampleText(parameters.find((each) => each.in === 'path' && each.name === name)) ?? whole,
  )
  const query = parameters.filter((each) => each.in === 'query' && each.required)
  const asked = query.map((each) => `${each.name}=${exampleText(each) ?? ''}`).join('&')
  return asked ? `${filled}?${asked}` : filled
}

function exampleText(parameter: Parameter | undefined): string | null {
  const example = parameter?.schema.example
  return typeof example === 'string' ? example : null
}

function isNeededHeader(parameter: Parameter): boolean {
  return parameter.in === 'header' && parameter.required
}

function headerOf(parameter: Parameter): string {
  return `-H '${parameter.name}: ${exampleText(parameter) ?? ''}'`
}

/** Files are sent as they come; everything else stands in the line. */
function bodyOf(type: string, example: unknown): readonly string[] {
  if (type.endsWith('form-urlencoded')) return [`-d '${String(example)}'`]
  if (type !== 'application/json')
    return [`-H 'Content-Type: ${type}'`, '--data-binary @example.iso']
  return ["-H 'Content-Type: application/json'", `-d '${JSON.stringify(example)}'`]
}
