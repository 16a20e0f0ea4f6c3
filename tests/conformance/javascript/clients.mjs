// Clients of what the conformance tests run against: the local cloud, or Azure with AZURE=1.
// The environment says where it is (tests/conformance/test_javascript.py).

import { AzureCliCredential, ManagedIdentityCredential } from "@azure/identity";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { SecretClient } from "@azure/keyvault-secrets";
import { ServiceBusAdministrationClient, ServiceBusClient } from "@azure/service-bus";

const { ADMINISTRATION, AZURE, NAMESPACE, VAULT } = process.env;
const inAzure = AZURE === "1";

const credential = inAzure ? new AzureCliCredential() : new ManagedIdentityCredential();
// A vault of the local cloud is a port of loopback, not a name below vault.azure.net.
const vaultOptions = inAzure ? {} : { disableChallengeResourceVerification: true };

export const keys = () => new KeyClient(VAULT, credential, vaultOptions);
export const secrets = () => new SecretClient(VAULT, credential, vaultOptions);
export const cryptography = (key) => new CryptographyClient(key, credential, vaultOptions);

// The clients take the port within the name of the namespace.
export const serviceBus = () => new ServiceBusClient(NAMESPACE, credential);
export const administration = () => new ServiceBusAdministrationClient(ADMINISTRATION, credential);

export const unused = (prefix) => `${prefix}-${crypto.randomUUID().slice(0, 13)}`;

// Tries until a name is free, which in Azure takes a while after a purge.
export async function again(attempt) {
  for (let left = inAzure ? 60 : 0; left > 0; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (error.statusCode !== 409) throw error;
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
  return attempt();
}
