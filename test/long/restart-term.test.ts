import { testRestarts } from '../support/restarts.ts'

testRestarts('SIGTERM')
