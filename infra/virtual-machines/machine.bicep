metadata description = 'One Linux machine that reads one secret under an identity of its own choice.'

import { Machine, SecretGrant } from '../modules/access.bicep'

@description('The machine as access.json declares it.')
param machine Machine

@description('Ends every name.')
param suffix string

@description('Where the machine lives.')
param location string

@description('Tags of everything.')
param tags { *: string }

@description('Name of the administrator, who has no password and whom nothing leads to.')
param administrator string = 'relay'

@description('SSH public key of the administrator.')
param publicKey string

@description('What the machine reads, and the identity that may.')
param reading SecretGrant

var name = 'relay-${machine.name}-${suffix}'

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [
  for identity in machine.identities: {
    name: '${identity}-${suffix}'
  }
]

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: '${reading.vault}-${suffix}'

  resource secret 'secrets' existing = {
    name: reading.secret
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' existing = {
  name: 'machines-${suffix}'

  resource subnet 'subnets' existing = {
    name: 'machines'
  }
}

// Without an address of its own in the Internet.
resource card 'Microsoft.Network/networkInterfaces@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    enableIPForwarding: false
    ipConfigurations: [
      { name: 'inside', properties: { subnet: { id: network::subnet.id }, privateIPAllocationMethod: 'Dynamic' } }
    ]
  }
}

resource virtualMachine 'Microsoft.Compute/virtualMachines@2025-04-01' = {
  name: name
  location: location
  tags: tags
  // Any code on the machine can ask for a token of any of these.
  identity: {
    type: machine.systemIdentity ? 'SystemAssigned, UserAssigned' : 'UserAssigned'
    userAssignedIdentities: toObject(
      map(
        machine.identities,
        identity => resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', '${identity}-${suffix}')
      ),
      id => id,
      id => {}
    )
  }
  properties: {
    hardwareProfile: { vmSize: 'Standard_B2ats_v2' }
    securityProfile: {
      securityType: 'TrustedLaunch'
      uefiSettings: { secureBootEnabled: true, vTpmEnabled: true }
      // Also what the host keeps for the machine: caches and the temporary disk.
      encryptionAtHost: true
    }
    storageProfile: {
      imageReference: { publisher: 'Canonical', offer: 'ubuntu-24_04-lts', sku: 'server', version: 'latest' }
      osDisk: {
        createOption: 'FromImage'
        deleteOption: 'Delete'
        caching: 'ReadWrite'
        managedDisk: { storageAccountType: 'Standard_LRS' }
      }
    }
    osProfile: {
      computerName: machine.name
      adminUsername: administrator
      // Run commands and updates by the platform are extensions.
      allowExtensionOperations: true
      linuxConfiguration: {
        disablePasswordAuthentication: true
        provisionVMAgent: true
        ssh: { publicKeys: [{ path: '/home/${administrator}/.ssh/authorized_keys', keyData: publicKey }] }
        patchSettings: {
          patchMode: 'AutomaticByPlatform'
          assessmentMode: 'AutomaticByPlatform'
          automaticByPlatformSettings: { rebootSetting: 'IfRequired' }
        }
      }
    }
    networkProfile: { networkInterfaces: [{ id: card.id, properties: { deleteOption: 'Delete' } }] }
    diagnosticsProfile: { bootDiagnostics: { enabled: true } }
  }
}

// When the machine is made, and again whenever the script or its parameters change.
resource readSecret 'Microsoft.Compute/virtualMachines/runCommands@2025-04-01' = {
  parent: virtualMachine
  name: 'read-secret'
  location: location
  tags: tags
  properties: {
    source: { script: loadTextContent('read-secret.sh') }
    parameters: [
      {
        name: 'CLIENT_ID'
        value: identities[indexOf(machine.identities, reading.identity)].properties.clientId
      }
      { name: 'SECRET_URL', value: vault::secret.properties.secretUri }
    ]
    timeoutInSeconds: 1200
    treatFailureAsDeploymentFailure: true
  }
}
