import { optional, type Setting } from './setting.ts'
import { file } from './texts.ts'

/** Settings that programs share, by their usual names; those of proxies in either case. */
export const proxySettings = {
  httpProxy: proxy('HTTP_PROXY', 'proxy for sources at http URLs'),
  httpsProxy: proxy('HTTPS_PROXY', 'proxy for sources at https URLs; without it, `HTTP_PROXY`'),
  noProxy: {
    variable: 'NO_PROXY',
    alias: 'no_proxy',
    fallback: null,
    allowed: 'hosts, domains such as .example.com, addresses and CIDRs, by commas, or *',
    meaning:
      'sources that are asked without a proxy: hosts and what lies below them, addresses, CIDRs, `*`',
    read: (text: string): readonly string[] | null => text.split(/[\s,]+/).filter(Boolean),
  },
  caFile: optional(
    'SSL_CERT_FILE',
    'a file of certificates (PEM)',
    'certificates (PEM) that every outgoing connection trusts beside the usual ones; read at the start',
    file,
  ),
} as const

function proxy(variable: string, meaning: string): Setting<string | null> {
  return {
    variable,
    alias: variable.toLowerCase(),
    fallback: null,
    allowed: 'an http or https URL of a host with an optional port, and user-info if need be',
    meaning,
    read: proxyUrl,
    show: withoutUserInfo,
  }
}

/** Other programs take `host:port`, too. */
function proxyUrl(text: string): string | undefined {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  if (!url || !/^https?:$/.test(url.protocol)) return undefined
  return url.pathname === '/' && !url.search && !url.hash ? url.href : undefined
}

/** Also where the text is no URL. */
function withoutUserInfo(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1')
}
