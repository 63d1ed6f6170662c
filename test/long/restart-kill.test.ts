import { testRestarts } from '../support/restarts.ts'

testRestarts('kill -9')
