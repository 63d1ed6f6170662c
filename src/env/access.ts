import { z } from 'zod'
import { optional, required, secret } from './setting.ts'
import { baseUrl, by, file, origins, proxies, token } from './texts.ts'

/** Who may do what, and who is believed. */
export const accessSettings = {
  auth: optional(
    'SLIPWAY_AUTH',
    'none or kubernetes',
    '`none` says that everyone who reaches the listener may do everything; `kubernetes` asks the API server who has a token, and what for',
    by(z.enum(['none', 'kubernetes'])),
  ),
  tokensFile: optional(
    'SLIPWAY_TOKENS_FILE',
    'a file',
    'who may do what: lines of `name:role:sha256-of-the-token`; re-read when it changes',
    file,
  ),
  htpasswdFile: optional(
    'SLIPWAY_HTPASSWD_FILE',
    'a file',
    'names and bcrypt hashes (`htpasswd -B`) of those who may pull; re-read when it changes',
    file,
  ),
  anonymousPull: required(
    'SLIPWAY_ANONYMOUS_PULL',
    'false',
    'true or false',
    'whether images are pulled without credentials',
    by(z.enum(['true', 'false']).transform((text) => text === 'true')),
  ),
  accessFile: optional(
    'SLIPWAY_ACCESS_FILE',
    'a file',
    'rules for single repositories, as JSON; re-read when it changes',
    file,
  ),
  trustedProxies: optional(
    'SLIPWAY_TRUSTED_PROXIES',
    'CIDRs and addresses, by commas',
    'proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed',
    proxies,
  ),
  corsOrigins: optional(
    'SLIPWAY_CORS_ORIGINS',
    'origins such as https://console.example.com, by commas, or *',
    'whose pages may use uploads and the API from a browser; `*`: uploads, and looking, for all',
    origins,
  ),
  url: optional(
    'SLIPWAY_URL',
    'an http or https URL without query or user-info',
    'the service that commands speak to; without it, `slipway images` asks `http://127.0.0.1:8080`, and those that look after the storage use the data folder, or ask the service at `SLIPWAY_LISTEN`',
    baseUrl,
  ),
  token: secret('SLIPWAY_TOKEN', 'a token', 'the token that commands show the service', token),
  tokenFile: optional(
    'SLIPWAY_TOKEN_FILE',
    'a file, without SLIPWAY_TOKEN',
    'a file with that token, read for each request, so that it may be replaced',
    file,
  ),
} as const
