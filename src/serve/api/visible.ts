import { callerReaches } from '../auth/access.ts'
import type { Caller } from '../auth/caller.ts'
import type { ImageBody } from '../../image/status.ts'

/** Who holds an upload's URL may write that image: it is not for those who may only look. */
export function visible(caller: Caller, body: ImageBody): ImageBody {
  return callerReaches(caller, 'write') ? body : withoutUpload(body)
}

export function withoutUpload(body: ImageBody): ImageBody {
  const {
    imageUploadURLs: _urls,
    uploadCommand: _command,
    upload: _upload,
    ...status
  } = body.status
  return { ...body, status }
}
