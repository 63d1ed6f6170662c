import { posix } from 'node:path'

/** What a module's file imports before it runs: names and relative paths, as they stand there. */
export function importsOf(text: string): readonly string[] {
  const found = text.matchAll(
    /(?:^|;)\s*(?:import|export)\s*(?:[\w$*{}\s,]+?from\s*)?["']([^"']+)["']/gm,
  )
  return [...found].map(([, specifier = '']) => specifier)
}

/**
 * The modules that run before the page is drawn, so that a browser can ask for all of them at once instead of finding them
 * one behind the other (HTML, "modulepreload").
 * @param entry path of the first module among the assets
 * @param textAt text of an asset, null where there is none
 * @param named path that a name stands for among the assets, null where it stands for none
 * @returns paths, the entry first
 * @throws Error when an import leads nowhere: the page could not begin
 */
export function modulesFrom(
  entry: string,
  textAt: (path: string) => string | null,
  named: (specifier: string) => string | null,
): readonly string[] {
  const known = new Set([entry])
  // A set gives what was added meanwhile, too.
  for (const path of known) {
    for (const specifier of importsOf(textAt(path) ?? '')) {
      const isPath = specifier.startsWith('.')
      const next = isPath ? posix.join(posix.dirname(path), specifier) : named(specifier)
      if (next === null || textAt(next) === null) {
        throw new Error(`${path} imports ${specifier}, which is no asset`)
      }
      known.add(next)
    }
  }
  return [...known]
}
