metadata description = 'The network of the machines: nothing comes in.'

@description('Ends every name.')
param suffix string

@description('Where the network lives.')
param location string

@description('Tags of everything.')
param tags { *: string }

@description('Address range of the network.')
param addressPrefix string = '10.90.0.0/24'

resource rules 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'machines-${suffix}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'nothing-in'
        // Azure's own rules would let in whatever is in the network or in one next to it.
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
      {
        name: 'vaults-and-packages-out'
        properties: {
          priority: 100
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: 'Internet'
          destinationPortRanges: ['80', '443']
        }
      }
      {
        name: 'private-vaults-out'
        // Where the deployment is private, the vaults are in the network next door.
        properties: {
          priority: 110
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: 'VirtualNetwork'
          destinationPortRange: '443'
        }
      }
      {
        name: 'nothing-else-out'
        properties: {
          priority: 200
          direction: 'Outbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: 'machines-${suffix}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        name: 'machines'
        properties: {
          addressPrefix: addressPrefix
          networkSecurityGroup: { id: rules.id }
          // How the machines reach the vaults and security updates; it gives them no address to be reached at.
          defaultOutboundAccess: true
        }
      }
    ]
  }
}
