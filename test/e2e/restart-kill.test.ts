import { describeRestarts } from '../support/restarts.ts'

describeRestarts('kill -9')
