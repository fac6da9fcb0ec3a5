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

const WRONG_KEY =
	'The API key was refused. Enter the key from your seedanceapi.org dashboard; keys of other vendors do not work.';
const NOT_THE_API =
	'The base URL does not lead to the Seedance API: it answered, but not as the API does. The usual one is https://seedanceapi.org/v1';
const SERVER_TROUBLE =
	'The Seedance API has trouble right now, so the key could not be checked. Try again in a few minutes, and check the base URL.';
const REDIRECTED =
	'The base URL redirects to another address. Enter the final address as the base URL; the key was not sent there.';
const NO_ACCESS =
	'Access was refused before the key could be checked. Check the base URL, and whether a firewall or proxy blocks this n8n.';

const NO_ANSWER =
	'Nothing answers at the base URL. Check its spelling (the usual one is https://seedanceapi.org/v1), and whether this n8n can reach the internet.';

const REDIRECTS = [301, 302, 303, 307, 308];
/** The registered 5xx, and those of the proxy that stands in front of the API. */
const SERVER_ERRORS = [
	500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 520, 521, 522, 523, 524, 525, 526, 527,
	530,
];

/** Where an envelope can hold its code; the contract shows `code`, clients have seen the others. */
const CODE_PATHS = ['code', 'error', 'error.code', 'data.code'];

function rejectCode(value: string | number, message: string) {
	return CODE_PATHS.map((key) => ({
		type: 'responseSuccessBody' as const,
		properties: { key, value, message },
	}));
}

/** n8n runs a mixed list, one rule after the other; its type knows lists of one kind only. */
const TEST_RULES = [
	{ type: 'responseCode', properties: { value: 401, message: WRONG_KEY } },
	{ type: 'responseCode', properties: { value: 403, message: NO_ACCESS } },
	{ type: 'responseCode', properties: { value: 429, message: SERVER_TROUBLE } },
	...REDIRECTS.map((value) => ({
		type: 'responseCode' as const,
		properties: { value, message: REDIRECTED },
	})),
	...SERVER_ERRORS.map((value) => ({
		type: 'responseCode' as const,
		properties: { value, message: SERVER_TROUBLE },
	})),
	...rejectCode('INVALID_API_KEY', WRONG_KEY),
	...rejectCode(401, WRONG_KEY),
	...rejectCode('401', WRONG_KEY),
	...rejectCode(403, NO_ACCESS),
	...rejectCode('403', NO_ACCESS),
	...rejectCode('INTERNAL_ERROR', SERVER_TROUBLE),
	...[429, ...SERVER_ERRORS].flatMap((value) => [
		...rejectCode(value, SERVER_TROUBLE),
		...rejectCode(String(value), SERVER_TROUBLE),
	]),
	{
		type: 'responseSuccessBody',
		properties: { key: 'code', value: undefined, message: NOT_THE_API },
	},
] as ICredentialTestRequest['rules'];

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
			default: 'https://seedanceapi.org/v1',
			placeholder: 'e.g. https://seedanceapi.org/v1',
			description: 'Change it only for a proxy or a test server that speaks the same API',
		},
		{
			displayName: 'Reachability',
			name: 'reachability',
			type: 'hidden',
			// n8n calls `preAuthentication` only for a credential with such a field.
			typeOptions: { expirable: true },
			default: '',
		},
	];

	/**
	 * Says what to check when nothing answers at the base URL: without it, the credential test shows a bare
	 * code such as ECONNREFUSED (measured). n8n calls this while the hidden field is empty: in the test,
	 * and never for the nodes of this package, which fill it. The request carries no key and costs nothing.
	 */
	async preAuthentication(
		this: IHttpRequestHelper,
		credentials: ICredentialDataDecryptedObject,
	): Promise<IDataObject> {
		try {
			await this.helpers.httpRequest({
				url: String(credentials.baseUrl).trim(),
				encoding: 'text',
				timeout: 15_000,
				disableFollowRedirect: true,
				ignoreHttpStatusErrors: true,
			});
		} catch {
			// A new error on purpose: n8n shows the code of the original instead of this text.
			throw new Error(NO_ANSWER);
		}
		return {};
	}

	/**
	 * Puts the key into the header. A function, because n8n runs an expression for each request otherwise, which is a fifth
	 * of all that starting a video costs n8n (`npm run bench -- overhead`). Not a method: n8n copies the credential without
	 * those, and would offer no Custom API Call.
	 */
	authenticate = async (
		{ apiKey }: ICredentialDataDecryptedObject,
		request: IHttpRequestOptions,
	): Promise<IHttpRequestOptions> => {
		const Authorization = `Bearer ${String(apiKey).trim()}`;
		return await Promise.resolve({ ...request, headers: { ...request.headers, Authorization } });
	};

	/**
	 * Reads a task that cannot exist, which costs nothing: a right key is told "no such task". An answer
	 * without any `code`, such as a web page, is not the API; n8n can only compare for equality, and a
	 * missing value equals `undefined` (measured).
	 */
	test: ICredentialTestRequest = {
		request: {
			baseURL: '={{ String($credentials.baseUrl).trim().replace(/\\/+$/, "") }}',
			url: '/status',
			qs: { task_id: 'n8n-credential-test' },
			disableFollowRedirect: true,
			ignoreHttpStatusErrors: {
				ignore: true,
				except: [401, 403, 429, ...REDIRECTS, ...SERVER_ERRORS],
			},
		},
		rules: TEST_RULES,
	};
}
