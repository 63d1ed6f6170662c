import { FilesystemStore } from '../../src/store/filesystem.ts'
import { Kills } from '../support/kills.ts'
import { tryOut } from './trial.ts'

tryOut('kill-files', async (trial) => {
  const ground = {
    variables: {},
    open: (folder: string) => FilesystemStore.open(folder),
    stored: (folder: string) => folder,
  }
  await using kills = await Kills.open(trial, ground)
  for (const { random } of trial.rounds()) await kills.round(random)
  await kills.end(trial.randomOf('end'))
})
