/**
 * Talks to a running n8n as its editor does, over `/rest`: owner, credentials, workflows, executions, binaries.
 *
 * The paths and bodies are those of n8n 2.41, with what 2.8 and 1.123 want besides: `workflowData` in a run's body, `active`.
 */
import axios, { type AxiosInstance } from 'axios';
import {
	ExecutionStatusList,
	type IBinaryData,
	type IConnections,
	type ICredentialType,
	type IDataObject,
	type INode,
	type INodeExecutionData,
	type INodeTypeDescription,
	type IRunData,
	type IRunExecutionData,
	type IWorkflowSettings,
} from 'n8n-workflow';
import { setTimeout as sleep } from 'node:timers/promises';

export interface WorkflowJson {
	name: string;
	nodes: INode[];
	connections: IConnections;
	settings?: IWorkflowSettings;
	pinData?: IDataObject;
	meta?: IDataObject;
}

export interface SavedWorkflow extends WorkflowJson {
	id: string;
	versionId: string;
}

export interface SavedCredential {
	id: string;
	name: string;
	type: string;
}

export interface CredentialJson extends Omit<SavedCredential, 'id'> {
	id?: string;
	/** The fields of the credential's form, e.g. `apiKey` and `baseUrl`. */
	data: IDataObject;
}

export interface ExecutionError {
	message: string;
	description?: string | null;
	context?: IDataObject;
}

export interface ExecutionSummary {
	id: string;
	workflowId: string;
	status: string;
	mode: string;
	startedAt: string;
	/** n8n's time of the end; null before. */
	stoppedAt: string | null;
	waitTill: string | null;
}

/** What n8n stores of an execution; of one that was lost, a part of it. */
type StoredData = Partial<IRunExecutionData> & { resumeToken?: string };

export interface Execution extends ExecutionSummary {
	/** By node name, each with its runs in order. */
	runData: IRunData;
	error?: ExecutionError;
	data: StoredData;
}

/** n8n refused a call; `status` and `body` are its response. */
export class N8nApiError extends Error {
	constructor(
		message: string,
		readonly status: number,
		readonly body: unknown,
	) {
		super(message);
	}
}

/** The states that an execution does not leave by itself. */
const ENDED = ['success', 'error', 'canceled', 'crashed'];

interface Settings {
	userManagement: { showSetupOnFirstLoad: boolean };
}

/** A signed-in session. Every method throws `N8nApiError` when n8n refuses. */
export class N8nClient {
	private readonly http: AxiosInstance;
	private cookie = '';

	/** @param baseUrl e.g. `http://127.0.0.1:5678`, without a path */
	constructor(readonly baseUrl: string) {
		this.http = axios.create({
			baseURL: `${baseUrl}/rest`,
			// The editor names its browser in every request; n8n ties the session to it.
			headers: { 'browser-id': 'seedance-tests' },
			validateStatus: () => true,
			maxRedirects: 0,
			proxy: false,
		});
	}

	/** Makes the owner account on a new server, or signs in on one that has it. */
	async signIn({ email, password }: { email: string; password: string }): Promise<void> {
		const { userManagement } = await this.call<Settings>('GET', '/settings');
		if (userManagement.showSetupOnFirstLoad) {
			const name = { firstName: 'Seedance', lastName: 'Tester' };
			await this.call('POST', '/owner/setup', { email, password, ...name });
		} else {
			await this.call('POST', '/login', { emailOrLdapLoginId: email, password });
		}
	}

	async createCredential(credential: CredentialJson): Promise<SavedCredential> {
		return await this.call('POST', '/credentials', credential);
	}

	async updateCredential(id: string, credential: CredentialJson): Promise<SavedCredential> {
		return await this.call('PATCH', `/credentials/${id}`, credential);
	}

	async listCredentials(): Promise<SavedCredential[]> {
		return await this.call('GET', '/credentials');
	}

	/** The button "Test" of the credential's form, with the values as they are typed in it. */
	async testCredential(credential: CredentialJson): Promise<{ status: string; message: string }> {
		// n8n reads a stored secret by this id; a new credential has none, which n8n 2.8 and older refuse.
		const body = { credentials: { id: '', ...credential } };
		return await this.call('POST', '/credentials/test', body);
	}

	async createWorkflow(workflow: WorkflowJson): Promise<SavedWorkflow> {
		// What the editor sends; n8n 1 has no default for `active`.
		const body = { settings: {}, active: false, ...workflow };
		return await this.call('POST', '/workflows', body);
	}

	async getWorkflow(id: string): Promise<SavedWorkflow> {
		return await this.call('GET', `/workflows/${id}`);
	}

	async updateWorkflow(id: string, changes: Partial<WorkflowJson>): Promise<SavedWorkflow> {
		const { versionId } = await this.getWorkflow(id);
		const body = { versionId, ...changes };
		return await this.call('PATCH', `/workflows/${id}?forceSave=true`, body);
	}

	async listWorkflows(): Promise<Array<{ id: string; name: string }>> {
		return await this.call('GET', '/workflows');
	}

	/** Publishes the workflow's newest version and waits until its triggers are live, which n8n does in the background. */
	async activateWorkflow(id: string, timeoutMs = 20_000): Promise<void> {
		const { versionId } = await this.getWorkflow(id);
		await this.call('POST', `/workflows/${id}/activate`, { versionId });
		for (const end = Date.now() + timeoutMs; ; await sleep(100)) {
			const status = await this.publicationOf(id);
			if (status === 'published') return;
			if (status !== 'in_progress' || Date.now() > end) {
				throw new Error(`Workflow ${id} was not published: ${status}`);
			}
		}
	}

	private async publicationOf(id: string): Promise<string> {
		try {
			const path = `/workflows/${id}/publication-status`;
			return (await this.call<{ status: string }>('GET', path)).status;
		} catch (error) {
			// An n8n that publishes at once has nothing to report.
			if (error instanceof N8nApiError && error.status === 404) return 'published';
			throw error;
		}
	}

	async deactivateWorkflow(id: string): Promise<void> {
		await this.call('POST', `/workflows/${id}/deactivate`);
	}

	/**
	 * "Execute workflow" in the editor. Resolves as soon as the execution has begun.
	 *
	 * @returns the execution's id
	 */
	async runWorkflow(id: string): Promise<string> {
		const { executionId } = await this.run(id);
		if (executionId === undefined) throw new Error('n8n waits for a webhook instead of running');
		return executionId;
	}

	/** "Listen for test event" of the workflow's trigger: its test URL works for two minutes, or until it is called. */
	async listenForTestEvent(id: string): Promise<void> {
		const { waitingForWebhook } = await this.run(id);
		if (!waitingForWebhook) throw new Error('The trigger does not wait for a test event');
	}

	/**
	 * Writes in the chat at the bottom of the canvas, and waits until the workflow has run: n8n listens for this session at
	 * an address of its own.
	 *
	 * @returns what the chat shows
	 */
	async chat(id: string, message: { chatInput: string; sessionId: string }): Promise<unknown> {
		const { sessionId: chatSessionId } = message;
		const { waitingForWebhook } = await this.run(id, { chatSessionId });
		if (!waitingForWebhook) throw new Error('The chat does not wait for a message');
		const { status, body } = await this.callWebhook('POST', `${id}/${chatSessionId}`, {
			kind: 'webhook-test',
			body: { action: 'sendMessage', ...message },
		});
		if (status !== 200) throw new N8nApiError('The chat failed', status, body);
		return body;
	}

	private async run(
		id: string,
		more: IDataObject = {},
	): Promise<{ executionId?: string; waitingForWebhook?: boolean }> {
		const workflowData = await this.getWorkflow(id);
		const triggers = workflowData.nodes.filter(({ type }) => /trigger$/i.test(type));
		if (triggers.length !== 1) throw new Error(`${triggers.length} triggers instead of one`);
		const triggerToStartFrom = { name: triggers[0].name };
		const body = { workflowData, triggerToStartFrom, ...more };
		return await this.call('POST', `/workflows/${id}/run`, body);
	}

	async stopExecution(id: string): Promise<void> {
		await this.call('POST', `/executions/${id}/stop`);
	}

	/** "Retry with original workflow" in the list of executions; gives the new execution, which has ended. */
	async retryExecution(id: string): Promise<Execution> {
		const path = `/executions/${id}/retry`;
		const retried = await this.call<ExecutionSummary>('POST', path, { loadWorkflow: false });
		return await this.getExecution(retried.id);
	}

	async getExecution(id: string): Promise<Execution> {
		type Stored = ExecutionSummary & { data: string };
		const stored = await this.call<Stored | undefined>('GET', `/executions/${id}`);
		// n8n returns 200 for one that it has pruned.
		if (!stored) throw new N8nApiError(`There is no execution ${id}`, 404, stored);
		const data = decodeFlatted(stored.data);
		const { runData = {}, error } = data.resultData ?? {};
		return { ...stored, data, runData, error };
	}

	/**
	 * In every state, newest first, at most 100. The states are named: without them, n8n asks for the running and the ended
	 * ones separately, and one that changes its state in between is in neither.
	 */
	async listExecutions(workflowId?: string): Promise<ExecutionSummary[]> {
		return (await this.findExecutions({ workflowId, status: ExecutionStatusList }, 100)).results;
	}

	/** How many executions of a workflow have ended, or have one of these states. */
	async countExecutions(workflowId: string, status: readonly string[] = ENDED): Promise<number> {
		return (await this.findExecutions({ workflowId, status }, 1)).count;
	}

	private async findExecutions(
		filter: object,
		limit: number,
	): Promise<{ results: ExecutionSummary[]; count: number }> {
		const query = new URLSearchParams({ filter: JSON.stringify(filter), limit: String(limit) });
		return await this.call('GET', `/executions?${query}`);
	}

	/** Reads an execution until it has one of these states, by default any end. Throws after `timeoutMs`. */
	async waitForExecution(
		id: string,
		{ timeoutMs = 60_000, status = ENDED }: { timeoutMs?: number; status?: readonly string[] } = {},
	): Promise<Execution> {
		for (const end = Date.now() + timeoutMs; ; await sleep(100)) {
			const execution = await this.getExecution(id);
			if (status.includes(execution.status)) return execution;
			if (Date.now() >= end) {
				throw new Error(`Execution ${id} is still "${execution.status}" after ${timeoutMs} ms`);
			}
		}
	}

	/** The bytes of an item's file, as the editor's Download button gets them. */
	async downloadBinary(binary: IBinaryData): Promise<Buffer> {
		if (binary.id === undefined) return Buffer.from(binary.data, 'base64');
		const query = new URLSearchParams({ id: binary.id, action: 'download' });
		return await this.fileOf(`rest/binary-data?${query}`, 'arraybuffer');
	}

	/** Every node that this n8n offers, with its whole description. */
	async nodeTypes(): Promise<INodeTypeDescription[]> {
		return await this.fileOf('types/nodes.json');
	}

	/** Every type of credential that this n8n offers, as it describes them to the editor. */
	async credentialTypes(): Promise<ICredentialType[]> {
		return await this.fileOf('types/credentials.json');
	}

	/** A file that n8n serves to its editor: descriptions, icons, binaries. Parsed where it is JSON. */
	async fileOf<T>(path: string, responseType: 'json' | 'arraybuffer' = 'json'): Promise<T> {
		const { status, data } = await this.http.get<T>(`/${path}`, {
			baseURL: this.baseUrl,
			headers: { cookie: this.cookie },
			responseType,
		});
		if (status !== 200) throw new N8nApiError(`${path} cannot be read`, status, data);
		return data;
	}

	/** Calls a webhook of a published workflow from outside, or of one that is listened for. No status is an error. */
	async callWebhook(
		method: 'GET' | 'POST',
		path: string,
		{ kind = 'webhook', body }: { kind?: 'webhook' | 'webhook-test'; body?: unknown } = {},
	): Promise<{ status: number; body: unknown }> {
		const { status, data } = await this.http.request<unknown>({
			method,
			url: `${this.baseUrl}/${kind}/${path}`,
			data: body,
		});
		return { status, body: data };
	}

	/** One request to `/rest`; gives the response's `data`. For what has no method of its own here. */
	async call<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
		const { status, headers, data } = await this.http.request<{ data: T; message?: string }>({
			method,
			url: path,
			data: body,
			headers: { cookie: this.cookie },
		});
		const cookies = headers['set-cookie'];
		if (cookies) this.cookie = cookies.map((cookie) => cookie.split(';')[0]).join('; ');
		if (status < 400) return data.data;
		const request = `${method} ${path.split('?')[0]}`;
		throw new N8nApiError(`n8n returned ${status} to ${request}: ${data.message}`, status, data);
	}
}

/** The items that a node put out in its last run; output 1 is the error output. */
export function itemsOf(execution: Execution, node: string, output = 0): INodeExecutionData[] {
	return execution.runData[node]?.at(-1)?.data?.main[output] ?? [];
}

/**
 * Reads the format in which n8n stores an execution's data ("flatted"): a JSON array in which the strings of every object
 * and array are positions in the outer array, so that shared and circular parts are kept.
 */
function decodeFlatted(text: string): StoredData {
	const parts = JSON.parse(text);
	for (const part of parts) {
		if (typeof part !== 'object' || part === null) continue;
		for (const [key, value] of Object.entries(part)) {
			if (typeof value === 'string') part[key] = parts[Number(value)];
		}
	}
	return parts[0] ?? {};
}
