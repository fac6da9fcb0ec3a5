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

import { readCredential, USUAL_BASE_URL } from '../nodes/shared/credential';
import {
	flawOfAnswer,
	REFUSED_STATUSES,
	TEST_IS_FREE,
	TEST_RULES,
	whyNoAnswer,
} from '../nodes/shared/credentialTest';
import { USER_AGENT } from '../nodes/shared/userAgent';

/** Reads a task that cannot exist, which costs nothing: a right key is told "no such task". */
const TEST_REQUEST = {
	url: '/status',
	qs: { task_id: 'n8n-credential-test' },
	headers: { Accept: 'application/json', 'User-Agent': USER_AGENT },
	disableFollowRedirect: true,
};

/** Milliseconds without a byte after which the test gives up. */
const TEST_TIMEOUT_MS = 15_000;

function authorization({ apiKey }: ICredentialDataDecryptedObject) {
	return { Authorization: `Bearer ${String(apiKey).trim()}` };
}

/** Credentials with which a request was sent, as n8n hands them over anew for each item. */
const used = new WeakSet<ICredentialDataDecryptedObject>();

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
			default: USUAL_BASE_URL,
			placeholder: `e.g. ${USUAL_BASE_URL}`,
			description: 'Change it only for a proxy or a test server that speaks the same API',
		},
		{
			displayName: 'Asked',
			name: 'asked',
			type: 'hidden',
			// n8n has a hook only for a credential with such a field, and runs it before each request while the field is empty.
			typeOptions: { expirable: true },
			default: 'in the test only',
		},
	];

	/**
	 * The test in our own words: n8n's rules cannot tell a host that is not there from a connection that broke, or the firewall's
	 * page from the API's answer. n8n runs this hook in the test, and again with the same credential after a request of any node
	 * has failed; there it does nothing. It gives no value to be stored: n8n would repeat a failed request of an HTTP Request node
	 * then, and so pay twice (n8n-core, `requestWithAuthentication`).
	 *
	 * @throws Error with the sentence that the form shows
	 */
	async preAuthentication(
		this: IHttpRequestHelper,
		credentials: ICredentialDataDecryptedObject,
	): Promise<IDataObject> {
		if (used.has(credentials)) return {};
		const account = readCredential(credentials);
		if ('problem' in account) throw new Error(`${account.problem} ${TEST_IS_FREE}`);
		let answer: unknown;
		try {
			answer = await this.helpers.httpRequest({
				...TEST_REQUEST,
				url: `${account.baseUrl}${TEST_REQUEST.url}`,
				headers: { ...TEST_REQUEST.headers, ...authorization(credentials) },
				timeout: TEST_TIMEOUT_MS,
				encoding: 'text',
				returnFullResponse: true,
				ignoreHttpStatusErrors: true,
			});
		} catch (error) {
			throw new Error(whyNoAnswer(error));
		}
		const flaw = flawOfAnswer(answer);
		if (flaw) throw new Error(flaw);
		return {};
	}

	/**
	 * Puts the key into the header. A function, because n8n runs an expression for each request otherwise, which is a fifth
	 * of all that starting a video costs n8n (`npm run bench -- overhead`). Not a method: n8n copies the credential without
	 * those, and would offer no Custom API Call.
	 */
	authenticate = async (
		credentials: ICredentialDataDecryptedObject,
		request: IHttpRequestOptions,
	): Promise<IHttpRequestOptions> => {
		used.add(credentials);
		const headers = { ...request.headers, ...authorization(credentials) };
		return await Promise.resolve({ ...request, headers });
	};

	/** The same once more by n8n's own means, for a version of n8n that does not run the hook. */
	test: ICredentialTestRequest = {
		request: {
			...TEST_REQUEST,
			baseURL: '={{ String($credentials.baseUrl).trim().replace(/\\/+$/, "") }}',
			ignoreHttpStatusErrors: { ignore: true, except: REFUSED_STATUSES },
		},
		// n8n runs a mixed list, one rule after the other; its type knows lists of one kind only.
		rules: TEST_RULES as ICredentialTestRequest['rules'],
	};
}
