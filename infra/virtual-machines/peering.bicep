metadata description = 'The peering by which the machines reach the vaults of a private deployment.'

@description('Ends every name.')
param suffix string

@description('Tags of everything.')
param tags { *: string }

resource machines 'Microsoft.Network/virtualNetworks@2025-05-01' existing = {
  name: 'machines-${suffix}'
}

resource relay 'Microsoft.Network/virtualNetworks@2025-05-01' existing = {
  name: 'relay-${suffix}'
}

// Both halves are needed. Nothing is passed on from or to a third network.
resource there 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings@2025-05-01' = {
  parent: machines
  name: 'relay'
  properties: {
    remoteVirtualNetwork: { id: relay.id }
    allowVirtualNetworkAccess: true
    allowForwardedTraffic: false
    allowGatewayTransit: false
    useRemoteGateways: false
  }
}

resource back 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings@2025-05-01' = {
  parent: relay
  name: 'machines'
  properties: {
    remoteVirtualNetwork: { id: machines.id }
    allowVirtualNetworkAccess: true
    allowForwardedTraffic: false
    allowGatewayTransit: false
    useRemoteGateways: false
  }
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' existing = {
  name: 'privatelink.vaultcore.azure.net'
}

// Of all that is in the other network, the machines find the vaults by name and nothing else.
resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = {
  parent: zone
  name: 'machines-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: { id: machines.id }
  }
}
