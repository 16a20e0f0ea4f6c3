// Clients of what the conformance tests run against: the local cloud, or Azure with AZURE=1.
// The environment says where it is (tests/conformance/test_javascript.py).

import { AzureCliCredential, ManagedIdentityCredential } from "@azure/identity";
import { KeyClient } from "@azure/keyvault-keys";
import { SecretClient } from "@azure/keyvault-secrets";
import { ServiceBusClient } from "@azure/service-bus";

const { AZURE, NAMESPACE, VAULT } = process.env;
const inAzure = AZURE === "1";

export const credential = inAzure ? new AzureCliCredential() : new ManagedIdentityCredential();
// A vault of the local cloud is a port of loopback, not a name below vault.azure.net.
export const vaultOptions = inAzure ? {} : { disableChallengeResourceVerification: true };

export const keys = () => new KeyClient(VAULT, credential, vaultOptions);
export const secrets = () => new SecretClient(VAULT, credential, vaultOptions);

// The client takes the port within the name of the namespace.
export const serviceBus = () => new ServiceBusClient(NAMESPACE, credential);

export const unused = (prefix) => `${prefix}-${crypto.randomUUID().slice(0, 13)}`;
