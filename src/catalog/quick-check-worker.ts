import { parentPort, workerData } from 'node:worker_threads'
import { z } from 'zod'
import { quickCheck } from './soundness.ts'

/** A thread that reads a whole catalog and tells what is wrong with it. */
parentPort?.postMessage(quickCheck(z.string().parse(workerData)))
