import { describeRestarts } from '../support/restarts.ts'

describeRestarts('SIGTERM')
