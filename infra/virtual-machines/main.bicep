metadata description = 'The virtual machines of access.json that a deployment asked for, and their network; nothing of the relay needs them.'

import { Machine, Network, SecretGrant } from '../modules/access.bicep'

@description('The machines to deploy, as access.json declares them.')
param machines Machine[]

@description('Ends every name.')
param suffix string

@description('Where everything lives.')
param location string

@description('Tags of everything.')
param tags { *: string }

@description('How the vaults are reached.')
param network Network

@description('SSH public key of the administrator of the machines.')
param publicKey string

@description('Grants on secrets; each machine reads the one that an identity of its own has.')
param secretGrants SecretGrant[]

module machineNetwork 'network.bicep' = {
  params: { suffix: suffix, location: location, tags: tags }
}

module peering 'peering.bicep' = if (network == 'private') {
  params: { suffix: suffix, tags: tags }
  dependsOn: [machineNetwork]
}

module virtualMachines 'machine.bicep' = [
  for machine in machines: {
    params: {
      machine: machine
      suffix: suffix
      location: location
      tags: tags
      publicKey: publicKey
      // The checks see to it that there is one.
      reading: filter(secretGrants, grant => contains(machine.identities, grant.identity))[0]
    }
    dependsOn: [machineNetwork, peering]
  }
]
