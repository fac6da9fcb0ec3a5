/**
 * What a `seedanceApi` credential must hold, read the same way by the nodes and by the credential's
 * own test.
 */
import type {
	ICredentialDataDecryptedObject,
	IExecuteFunctions,
	IWebhookFunctions,
} from 'n8n-workflow';

import { textOf } from '../json';
import { reachOf, type ApiReach } from '../task/publicUrl';
import { FIRST_VERSION, OTHER_VERSIONS } from './versions';

export const CREDENTIAL_TYPE = 'seedanceApi';

export type NodeFunctions = IExecuteFunctions | IWebhookFunctions;

/**
 * The API's own address (docs/api-contract.md#address-and-key); every text about base URLs names
 * it.
 */
export const DEFAULT_BASE_URL = 'https://seedanceapi.org/v1';

/** Spaces, invisible characters, and those that no URL holds unescaped (RFC 3986). */
const NO_URL_CHARACTER = /[\p{C}\p{Z}"<>\\^`{|}]/u;
/** Labels of 1 to 63 characters, 253 in all (RFC 1035); IPv6 addresses fit as well. */
const HOST = /^(?=.{1,253}$)(?:[^.]{1,63}\.)*[^.]{1,63}\.?$/;
const HIGHEST_PORT = 65_535;

function parse(text: string): URL | undefined {
	try {
		return new URL(text);
	} catch {
		return undefined;
	}
}

/**
 * What is wrong with a base URL, as the end of a sentence. Never quotes it: somebody may have
 * pasted the key there.
 */
function flawOf(text: string): string | undefined {
	if (!text) return 'is empty';
	const authority = /^https?:\/\/([^/?#]*)/i.exec(text)?.[1];
	if (authority === undefined) return 'must start with http:// or https://';
	if (/^https?:/i.test(authority)) return 'holds http:// or https:// twice';
	if (authority.includes('@')) return 'must not hold a user name or a password';
	if (NO_URL_CHARACTER.test(text)) return 'holds a space or another character that no address has';
	if (/[?#]/.test(text)) return 'must end after its path, without "?" or "#"';
	const port = /:([^:\]]*)$/.exec(authority)?.[1];
	if (port && !(/^\d+$/.test(port) && Number(port) > 0 && Number(port) <= HIGHEST_PORT)) {
		return `has a port that does not exist: a port is a number from 1 to ${HIGHEST_PORT}`;
	}
	const url = authority ? parse(text) : undefined;
	if (!url || !HOST.test(url.hostname)) return 'names no server that can exist: check its spelling';
	// At another version, a request for the first one would be a different and dearer one.
	const other = OTHER_VERSIONS.find((version) =>
		url.pathname.replace(/\/+$/, '').endsWith(`/${version}`),
	);
	if (other)
		return `must end in /${FIRST_VERSION}: for models of /${other} the node goes there by itself`;
	if (/\/(?:generate|status)\/*$/i.test(url.pathname)) {
		return 'must end before /generate or /status, which is added to it';
	}
	return undefined;
}

/** What a credential holds, tidied. */
export interface CredentialData {
	apiKey: string;
	/** Without a slash at its end. */
	baseUrl: string;
}

/** Why a credential cannot be used: one sentence, without any value of it. */
export interface CredentialFlaw {
	problem: string;
	field: 'apiKey' | 'baseUrl';
}

/**
 * The key and the base URL of a credential whose expressions are resolved, or what is wrong with
 * it. Never throws.
 */
export function readCredential(
	data: ICredentialDataDecryptedObject,
): CredentialData | CredentialFlaw {
	const apiKey = textOf(data.apiKey) ?? '';
	if (!apiKey) return { problem: 'The credential holds no API key.', field: 'apiKey' };
	if (/[^\x21-\x7e]/.test(apiKey)) {
		return {
			problem: 'The API key in the credential holds a space or a character that no key has.',
			field: 'apiKey',
		};
	}
	const text = textOf(data.baseUrl) ?? '';
	const flaw = flawOf(text);
	if (flaw) {
		return {
			problem: `The base URL in the credential ${flaw} (the usual one is ${DEFAULT_BASE_URL}).`,
			field: 'baseUrl',
		};
	}
	const { origin, pathname } = new URL(text);
	return { apiKey, baseUrl: `${origin}${pathname}`.replace(/\/+$/, '') };
}

/** A `seedanceApi` credential with its expressions resolved for one item. */
export interface Credential {
	apiKey: string;
	/** Without a slash at its end. */
	baseUrl: string;
	/**
	 * From where the API fetches links and reports to callbacks; the sandbox runs on this machine.
	 */
	reach: ApiReach;
	decrypted: ICredentialDataDecryptedObject;
}

/**
 * The credential of one item, tidied, or what is wrong with it
 * (docs/n8n-behaviour.md#credential-of-an-item). Throws what n8n throws: no credential is set, or
 * an expression in it fails.
 */
export async function getCredential(
	context: NodeFunctions,
	itemIndex = 0,
): Promise<Credential | CredentialFlaw> {
	const decrypted: ICredentialDataDecryptedObject =
		'getExecutionCancelSignal' in context
			? await context.getCredentials(CREDENTIAL_TYPE, itemIndex)
			: await context.getCredentials(CREDENTIAL_TYPE);
	const read = readCredential(decrypted);
	if ('problem' in read) return read;
	const { apiKey, baseUrl } = read;
	return {
		apiKey,
		baseUrl,
		reach: reachOf(baseUrl),
		decrypted: { ...decrypted, apiKey, baseUrl },
	};
}
