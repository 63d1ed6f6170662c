import type { DataSource } from '../../image/data-source.ts'
import { parseReference } from '../../image/reference.ts'
import { demandRepository } from '../auth/access.ts'
import type { Call } from '../context.ts'
import { ownRepository, type PublicNames } from '../public-names.ts'

/**
 * A container image of this very service is read without credentials of its own, so whoever names it has to be somebody who may
 * pull it.
 * @throws Refusal UNAUTHORIZED, DENIED
 */
export function demandOwn(c: Call, { containerImage }: DataSource, names: PublicNames): void {
  if (!containerImage || containerImage.auth) return
  const repository = ownRepository(parseReference(containerImage.image), names)
  if (repository !== null) demandRepository(c, 'pull', repository)
}
