const apiVersion = 'virtualization.deckhouse.io/v1alpha2'

export const machineClass = (sizingPolicies?: unknown, name = 'c', annotations?: object) => ({
  apiVersion,
  kind: 'VirtualMachineClass',
  metadata: { name, ...(annotations && { annotations }) },
  spec: { cpu: { type: 'Host' }, ...(sizingPolicies !== undefined && { sizingPolicies }) },
})

export const defaultClass = {
  'virtualmachineclass.virtualization.deckhouse.io/is-default-class': 'true',
}

export const machine = (cpu: object, size: unknown = '1Gi', virtualMachineClassName?: string) => ({
  apiVersion,
  kind: 'VirtualMachine',
  metadata: { name: 'linux-vm' },
  spec: {
    ...(virtualMachineClassName !== undefined && { virtualMachineClassName }),
    cpu,
    memory: { size },
    runPolicy: 'AlwaysOn',
  },
})

/** The sizing policies of the guide's class `discovery`. */
export const guidePolicies = [
  {
    cores: { min: 1, max: 4 },
    memory: { min: '1Gi', max: '8Gi', step: '512Mi' },
    dedicatedCores: [false],
    coreFractions: [5, 10, 20, 50, 100],
  },
  {
    cores: { min: 5, max: 8 },
    memory: { min: '5Gi', max: '16Gi', step: '1Gi' },
    dedicatedCores: [false],
    coreFractions: [20, 50, 100],
  },
  {
    cores: { min: 9, max: 16 },
    memory: { min: '9Gi', max: '32Gi', step: '1Gi' },
    dedicatedCores: [true, false],
    coreFractions: [50, 100],
  },
  {
    cores: { min: 17, max: 1024 },
    memory: { perCore: { min: '1Gi', max: '2Gi' } },
    dedicatedCores: [true],
    coreFractions: [100],
  },
]
