import type { DataSource } from '../../image/data-source.ts'
import { parseReference } from '../../image/reference.ts'
import { demandImage, demandRepository } from '../auth/access.ts'
import type { Call } from '../context.ts'
import { ownRepository, type PublicNames } from '../public-names.ts'

/**
 * What is here already can be pulled under the new name, too, and is read without credentials of its own; so whoever names
 * it has to be somebody who may pull it.
 * @throws Refusal UNAUTHORIZED, DENIED
 */
export function demandSource(c: Call, source: DataSource, names: PublicNames): void {
  const { containerImage, objectRef } = source
  if (objectRef) demandImage(c, 'pull', objectRef.name)
  if (!containerImage || containerImage.auth) return
  const repository = ownRepository(parseReference(containerImage.image), names)
  if (repository !== null) demandRepository(c, 'pull', repository)
}
