/** The credential "Seedance API": key, base URL, and a test that costs nothing. */
import type {
	Icon,
	ICredentialDataDecryptedObject,
	ICredentialTestRequest,
	ICredentialType,
	IDataObject,
	IHttpRequestHelper,
	IHttpRequestOptions,
	INodeProperties,
} from 'n8n-workflow';

import { readCredential, DEFAULT_BASE_URL } from '../nodes/shared/api/credential';
import {
	testFailureOf,
	TEST_FAILURE_STATUSES,
	TEST_IS_FREE,
	TEST_RULES,
	connectionFailureOf,
} from '../nodes/shared/api/credentialCheck';
import { USER_AGENT } from '../nodes/shared/api/userAgent';

/**
 * A task that cannot exist, so that reading it costs nothing
 * (docs/api-contract.md#missing-endpoints).
 */
const TEST_TASK_ID = 'n8n-credential-test';

const TEST_REQUEST = {
	url: '/status',
	qs: { task_id: TEST_TASK_ID },
	headers: { Accept: 'application/json', 'User-Agent': USER_AGENT },
	disableFollowRedirect: true,
};

/** Milliseconds without a byte after which the test gives up. */
const TEST_TIMEOUT_MS = 15_000;

type HttpHelpers = IHttpRequestHelper['helpers'];

/** n8n's HTTP client for each credential that it is about to send a request with. */
const helpersOf = new WeakMap<ICredentialDataDecryptedObject, HttpHelpers>();

function withKey(headers: IDataObject | undefined, credentials: ICredentialDataDecryptedObject) {
	return { ...headers, Authorization: `Bearer ${String(credentials.apiKey).trim()}` };
}

/**
 * The test in our own words: n8n's rules cannot distinguish a missing host from a broken
 * connection, or the page of a firewall from a response of the API. n8n shows the bare code of an
 * error, so it gets a new error without one (docs/n8n-behaviour.md#errors-of-a-credential-test).
 *
 * @throws Error with the sentence that the form shows
 */
async function testCredential(
	helpers: HttpHelpers,
	credentials: ICredentialDataDecryptedObject,
): Promise<void> {
	const account = readCredential(credentials);
	if ('problem' in account) throw new Error(`${account.problem} ${TEST_IS_FREE}`);
	let response: unknown;
	try {
		response = await helpers.httpRequest({
			...TEST_REQUEST,
			url: `${account.baseUrl}${TEST_REQUEST.url}`,
			headers: withKey(TEST_REQUEST.headers, credentials),
			timeout: TEST_TIMEOUT_MS,
			encoding: 'text',
			returnFullResponse: true,
			ignoreHttpStatusErrors: true,
		});
	} catch (error) {
		throw new Error(connectionFailureOf(error));
	}
	const flaw = testFailureOf(response);
	if (flaw) throw new Error(flaw);
}

export class SeedanceApi implements ICredentialType {
	name = 'seedanceApi';

	displayName = 'Seedance API';

	icon: Icon = { light: 'file:../icons/seedance.svg', dark: 'file:../icons/seedance.dark.svg' };

	documentationUrl = 'https://github.com/n8n-nodes-seedance/n8n-nodes-seedance#credential';

	properties: INodeProperties[] = [
		{
			displayName: 'API Key',
			name: 'apiKey',
			type: 'string',
			typeOptions: { password: true },
			required: true,
			default: '',
			hint: 'From your seedanceapi.org dashboard. Keys of other vendors do not work.',
			description: 'The key from the API Keys page of your dashboard at seedanceapi.org',
		},
		{
			displayName: 'Base URL',
			name: 'baseUrl',
			type: 'string',
			default: DEFAULT_BASE_URL,
			placeholder: `e.g. ${DEFAULT_BASE_URL}`,
			description: 'Change it only for a proxy or a test server that speaks the same API',
		},
		{
			displayName: 'HTTP Client',
			name: 'httpClient',
			type: 'hidden',
			// Without it, n8n does not run the hook below (docs/n8n-behaviour.md#expirable-field).
			typeOptions: { expirable: true },
			default: '',
		},
	];

	/**
	 * Keeps n8n's HTTP client for `authenticate`, which alone sees whether the request is the test's.
	 * It sends nothing, because n8n calls it before every request of every node
	 * (docs/n8n-behaviour.md#expirable-field), and gives n8n nothing to store, because n8n would then
	 * repeat failed requests (docs/n8n-behaviour.md#output-of-preauthentication).
	 */
	async preAuthentication(
		this: IHttpRequestHelper,
		credentials: ICredentialDataDecryptedObject,
	): Promise<IDataObject> {
		helpersOf.set(credentials, this.helpers);
		return await Promise.resolve({});
	}

	/**
	 * Puts the key into the header. It is a function, because n8n would evaluate an expression for
	 * each request, and no method, because n8n copies the credential without its methods
	 * (docs/n8n-behaviour.md#authentication-by-a-function).
	 */
	authenticate = async (
		credentials: ICredentialDataDecryptedObject,
		request: IHttpRequestOptions,
	): Promise<IHttpRequestOptions> => {
		const helpers = helpersOf.get(credentials);
		if (helpers && request.qs?.task_id === TEST_TASK_ID) {
			await testCredential(helpers, credentials);
		}
		return { ...request, headers: withKey(request.headers, credentials) };
	};

	/** The same test by n8n's own rules, for an n8n that hands over no HTTP client. */
	test: ICredentialTestRequest = {
		request: {
			...TEST_REQUEST,
			baseURL: '={{ String($credentials.baseUrl).trim().replace(/\\/+$/, "") }}',
			ignoreHttpStatusErrors: { ignore: true, except: TEST_FAILURE_STATUSES },
		},
		// n8n runs a mixed list, which its type does not have
		// (docs/n8n-behaviour.md#rules-of-a-credential-test).
		rules: TEST_RULES as ICredentialTestRequest['rules'],
	};
}
