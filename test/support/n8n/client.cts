/**
 * Talks to a running n8n as its editor does, over `/rest`: owner, credentials, workflows, executions, binaries.
 *
 * The paths and bodies are those of n8n 2.41, with what 2.8 and 1.123 want besides: `workflowData` in a run's body, `active`.
 */
import axios, { type AxiosInstance, type AxiosResponse } from 'axios';
import type {
	IBinaryData,
	IConnections,
	IDataObject,
	INode,
	INodeExecutionData,
	INodeTypeDescription,
	IWorkflowSettings,
} from 'n8n-workflow';
import { setTimeout as sleep } from 'node:timers/promises';

/** The owner account of a test server. */
export interface Login {
	email: string;
	password: string;
}

/** A workflow as it is exported and imported. */
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

export interface CredentialJson {
	id?: string;
	name: string;
	type: string;
	/** The fields of the credential's form, e.g. `apiKey` and `baseUrl`. */
	data: IDataObject;
}

export interface SavedCredential {
	id: string;
	name: string;
	type: string;
}

export interface CredentialTestResult {
	status: 'OK' | 'Error';
	message: string;
}

/** An error as the editor's error panel gets it. */
export interface ExecutionError {
	message: string;
	description?: string | null;
	httpCode?: string | null;
	name?: string;
	node?: { name: string };
	context?: IDataObject;
}

/** One run of one node. */
export interface NodeRun {
	executionStatus?: string;
	executionTime: number;
	startTime: number;
	error?: ExecutionError;
	/** By output, e.g. `main[0]` is the first one, `main[1]` the error output of a node with one. */
	data?: { main: Array<INodeExecutionData[] | null> };
	hints?: Array<{ message: string }>;
}

/** An execution with its data decoded. */
export interface Execution {
	id: string;
	workflowId: string;
	mode: string;
	status: string;
	finished: boolean;
	startedAt: string;
	stoppedAt: string | null;
	waitTill: string | null;
	retryOf: string | null;
	/** By node name, each with its runs in order. */
	runData: Record<string, NodeRun[]>;
	lastNodeExecuted?: string;
	/** The error that ended the execution. */
	error?: ExecutionError;
	/** Everything, as n8n stores it. */
	data: unknown;
}

export interface ExecutionSummary {
	id: string;
	workflowId: string;
	status: string;
	mode: string;
	retryOf: string | null;
}

/** An answer of n8n's REST interface that is not the expected one; `status` and `body` are what came. */
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
	async signIn(login: Login): Promise<void> {
		const settings = asRecord(await this.call('GET', '/settings'));
		const userManagement = asRecord(settings.userManagement);
		if (userManagement.showSetupOnFirstLoad === true) await this.setUpOwner(login);
		else await this.login(login);
	}

	async setUpOwner({ email, password }: Login): Promise<void> {
		await this.call('POST', '/owner/setup', {
			email,
			password,
			firstName: 'Seedance',
			lastName: 'Tester',
		});
	}

	async login({ email, password }: Login): Promise<void> {
		await this.call('POST', '/login', { emailOrLdapLoginId: email, password });
	}

	async createCredential(credential: CredentialJson): Promise<SavedCredential> {
		return asSaved(await this.call('POST', '/credentials', credential));
	}

	async updateCredential(id: string, credential: CredentialJson): Promise<SavedCredential> {
		return asSaved(await this.call('PATCH', `/credentials/${id}`, credential));
	}

	async listCredentials(): Promise<SavedCredential[]> {
		return asArray(await this.call('GET', '/credentials')).map(asSaved);
	}

	async deleteCredential(id: string): Promise<void> {
		await this.call('DELETE', `/credentials/${id}`);
	}

	/** The button "Test" of the credential's form, with the values as they are typed in it. */
	async testCredential(credential: CredentialJson): Promise<CredentialTestResult> {
		const { status, message } = asRecord(
			await this.call('POST', '/credentials/test', {
				// n8n looks up a stored secret by this id; a new credential has none, which n8n 2.8 and older refuse.
				credentials: { id: '', ...credential },
			}),
		);
		return { status: status === 'OK' ? 'OK' : 'Error', message: String(message ?? '') };
	}

	async createWorkflow(workflow: WorkflowJson): Promise<SavedWorkflow> {
		// What the editor sends; n8n 1 has no default for `active`.
		const body = { settings: {}, active: false, ...workflow };
		return asWorkflow(await this.call('POST', '/workflows', body));
	}

	async getWorkflow(id: string): Promise<SavedWorkflow> {
		return asWorkflow(await this.call('GET', `/workflows/${id}`));
	}

	async updateWorkflow(id: string, changes: Partial<WorkflowJson>): Promise<SavedWorkflow> {
		const { versionId } = await this.getWorkflow(id);
		return asWorkflow(
			await this.call('PATCH', `/workflows/${id}?forceSave=true`, { versionId, ...changes }),
		);
	}

	async listWorkflows(): Promise<Array<{ id: string; name: string }>> {
		return asArray(await this.call('GET', '/workflows')).map((entry) => {
			const { id, name } = asRecord(entry);
			return { id: String(id), name: String(name) };
		});
	}

	/** Publishes the workflow's newest version and waits until its triggers are live, which n8n does in the background. */
	async activateWorkflow(id: string, timeoutMs = 20_000): Promise<void> {
		const { versionId } = await this.getWorkflow(id);
		await this.call('POST', `/workflows/${id}/activate`, { versionId });
		for (const end = Date.now() + timeoutMs; ; await sleep(100)) {
			const publication = await this.publicationOf(id);
			if (publication === undefined || publication.status === 'published') return;
			if (publication.status !== 'in_progress' || Date.now() > end) {
				throw new Error(`Workflow ${id} was not published: ${JSON.stringify(publication)}`);
			}
		}
	}

	/** Undefined for an n8n that publishes at once and therefore has nothing to tell. */
	private async publicationOf(id: string): Promise<Record<string, unknown> | undefined> {
		try {
			return asRecord(await this.call('GET', `/workflows/${id}/publication-status`));
		} catch (error) {
			if (error instanceof N8nApiError && error.status === 404) return undefined;
			throw error;
		}
	}

	async deactivateWorkflow(id: string): Promise<void> {
		await this.call('POST', `/workflows/${id}/deactivate`);
	}

	/** Removes a workflow and its executions. */
	async deleteWorkflow(id: string): Promise<void> {
		await this.call('POST', `/workflows/${id}/archive`);
		await this.call('DELETE', `/workflows/${id}`);
	}

	/**
	 * "Execute workflow" in the editor. Answers as soon as the execution has begun.
	 *
	 * @param options.trigger the trigger to begin with; by default the only one of the workflow
	 * @param options.destination the node to stop after, as "Execute step" does
	 * @returns the execution's id
	 */
	async runWorkflow(
		id: string,
		options: { trigger?: string; destination?: string } = {},
	): Promise<string> {
		const { executionId } = await this.run(id, options);
		if (executionId === undefined) throw new Error('n8n waits for a webhook instead of running');
		return String(executionId);
	}

	/**
	 * "Listen for test event" of a webhook trigger: its test URL works from now on, for two minutes or until it is called.
	 *
	 * @param trigger the trigger's name
	 */
	async listenForTestEvent(id: string, trigger: string): Promise<void> {
		const { waitingForWebhook } = await this.run(id, { trigger });
		if (waitingForWebhook !== true) throw new Error(`"${trigger}" does not wait for a test event`);
	}

	/**
	 * Writes in the chat at the bottom of the canvas, and waits until the workflow has run: n8n listens for this session at an
	 * address of its own.
	 *
	 * @param trigger the Chat Trigger's name
	 * @returns what the chat shows
	 */
	async chat(
		id: string,
		trigger: string,
		message: { chatInput: string; sessionId: string },
	): Promise<unknown> {
		const { sessionId: chatSessionId } = message;
		const { waitingForWebhook } = await this.run(id, { trigger, chatSessionId });
		if (waitingForWebhook !== true) throw new Error(`"${trigger}" does not wait for a message`);
		const { status, body } = await this.callWebhook('POST', `${id}/${chatSessionId}`, {
			kind: 'webhook-test',
			body: { action: 'sendMessage', ...message },
		});
		if (status !== 200) throw new N8nApiError('The chat did not answer', status, body);
		return body;
	}

	async stopListening(workflowId: string): Promise<void> {
		await this.call('DELETE', `/test-webhook/${workflowId}`);
	}

	private async run(
		id: string,
		{
			trigger,
			destination,
			chatSessionId,
		}: { trigger?: string; destination?: string; chatSessionId?: string },
	): Promise<Record<string, unknown>> {
		const workflowData = await this.getWorkflow(id);
		const start = trigger ?? onlyTrigger(workflowData);
		return asRecord(
			await this.call('POST', `/workflows/${id}/run`, {
				workflowData,
				triggerToStartFrom: { name: start },
				...(destination && { destinationNode: { nodeName: destination, mode: 'inclusive' } }),
				...(chatSessionId && { chatSessionId }),
			}),
		);
	}

	/** Runs a workflow and waits for its end. */
	async runToEnd(
		id: string,
		options: { trigger?: string; destination?: string; timeoutMs?: number } = {},
	): Promise<Execution> {
		return await this.waitForExecution(await this.runWorkflow(id, options), options);
	}

	/** The button "Stop". */
	async stopExecution(id: string): Promise<void> {
		await this.call('POST', `/executions/${id}/stop`);
	}

	/**
	 * "Retry" in the list of executions. n8n answers when the new execution has ended.
	 *
	 * @param options.loadWorkflow true: with the workflow as it is now; false: as it was then
	 * @returns the new execution
	 */
	async retryExecution(id: string, { loadWorkflow = false } = {}): Promise<Execution> {
		const retried = asRecord(await this.call('POST', `/executions/${id}/retry`, { loadWorkflow }));
		return await this.getExecution(String(retried.id));
	}

	async getExecution(id: string): Promise<Execution> {
		return asExecution(await this.call('GET', `/executions/${id}`));
	}

	/** Newest first. */
	async listExecutions(workflowId?: string): Promise<ExecutionSummary[]> {
		const filter = encodeURIComponent(JSON.stringify(workflowId ? { workflowId } : {}));
		const { results } = asRecord(await this.call('GET', `/executions?filter=${filter}&limit=100`));
		return asArray(results).map((entry) => {
			const { id, workflowId: workflow, status, mode, retryOf } = asRecord(entry);
			return {
				id: String(id),
				workflowId: String(workflow),
				status: String(status),
				mode: String(mode),
				retryOf: typeof retryOf === 'string' ? retryOf : null,
			};
		});
	}

	/** How many executions of a workflow have ended, or have one of these states. */
	async countExecutions(workflowId: string, status: readonly string[] = ENDED): Promise<number> {
		const filter = encodeURIComponent(JSON.stringify({ workflowId, status }));
		const { count } = asRecord(await this.call('GET', `/executions?filter=${filter}&limit=1`));
		if (typeof count !== 'number')
			throw new Error('n8n does not tell how many executions there are');
		return count;
	}

	/**
	 * Looks at an execution until it has one of these states.
	 *
	 * @param options.timeoutMs milliseconds, 60,000 by default
	 * @param options.status by default every state that is an end
	 * @param options.intervalMs milliseconds between two looks
	 * @param options.onLook called after each look
	 * @throws Error naming the last seen state, after the timeout
	 */
	async waitForExecution(
		id: string,
		{
			timeoutMs = 60_000,
			status = ENDED,
			intervalMs = 100,
			onLook = () => {},
		}: {
			timeoutMs?: number;
			status?: string[];
			intervalMs?: number;
			onLook?: (execution: Execution) => void;
		} = {},
	): Promise<Execution> {
		const end = Date.now() + timeoutMs;
		for (;;) {
			const execution = await this.getExecution(id);
			onLook(execution);
			if (status.includes(execution.status)) return execution;
			if (Date.now() >= end) {
				throw new Error(`Execution ${id} is still "${execution.status}" after ${timeoutMs} ms`);
			}
			await sleep(intervalMs);
		}
	}

	/** The bytes of an item's file, as the editor's Download button gets them. */
	async downloadBinary(binary: IBinaryData): Promise<Buffer> {
		if (binary.id === undefined) return Buffer.from(binary.data, 'base64');
		const query = new URLSearchParams({ id: binary.id, action: 'download' });
		const response: AxiosResponse<unknown> = await this.http.get(`/binary-data?${query}`, {
			headers: { cookie: this.cookie },
			responseType: 'arraybuffer',
		});
		if (response.status !== 200 || !Buffer.isBuffer(response.data)) {
			throw new N8nApiError(`Binary ${binary.id} cannot be read`, response.status, response.data);
		}
		return response.data;
	}

	/** Every node that this n8n offers, with its whole description. */
	async nodeTypes(): Promise<INodeTypeDescription[]> {
		return asArray(await this.fileOf('types/nodes.json')).filter(isNodeType);
	}

	/** Every type of credential that this n8n offers, as it describes them to the editor. */
	async credentialTypes(): Promise<IDataObject[]> {
		return asArray(await this.fileOf('types/credentials.json')).filter(isDataObject);
	}

	/** What n8n gives to its editor outside of `/rest`: descriptions, icons. Parsed where it is JSON. */
	async fileOf(path: string): Promise<unknown> {
		const response: AxiosResponse<unknown> = await this.http.get(`/${path}`, {
			baseURL: this.baseUrl,
			headers: { cookie: this.cookie },
		});
		if (response.status !== 200) {
			throw new N8nApiError(`${path} cannot be read`, response.status, response.data);
		}
		return response.data;
	}

	/**
	 * Calls a webhook of a workflow from outside, without being signed in. Every status is an answer.
	 *
	 * @param kind `webhook` for a published workflow, `webhook-test` while it is listened for
	 */
	async callWebhook(
		method: 'GET' | 'POST',
		path: string,
		{
			kind = 'webhook',
			body,
			headers,
		}: {
			kind?: 'webhook' | 'webhook-test';
			body?: unknown;
			headers?: Record<string, string>;
		} = {},
	): Promise<{ status: number; body: unknown }> {
		const response: AxiosResponse<unknown> = await axios.request({
			method,
			url: `${this.baseUrl}/${kind}/${path}`,
			data: body,
			headers,
			validateStatus: () => true,
			maxRedirects: 0,
			proxy: false,
		});
		return { status: response.status, body: response.data };
	}

	/** One request to `/rest`; gives the answer's `data`. For what has no method of its own here. */
	async call(method: string, path: string, body?: unknown): Promise<unknown> {
		const response: AxiosResponse<unknown> = await this.http.request({
			method,
			url: path,
			data: body,
			headers: { cookie: this.cookie },
		});
		const cookies = response.headers['set-cookie'];
		if (cookies) this.cookie = cookies.map((cookie) => cookie.split(';')[0]).join('; ');
		const answer = isRecord(response.data) ? response.data : {};
		if (response.status >= 400) {
			const reason = typeof answer.message === 'string' ? answer.message : 'no message';
			throw new N8nApiError(
				`n8n answered ${response.status} to ${method} ${path.split('?')[0]}: ${reason}`,
				response.status,
				response.data,
			);
		}
		return answer.data;
	}
}

/**
 * The items that a node put out.
 *
 * @param output 0 is the first output; with On Error "Continue (using error output)", 1 is the error output
 * @param run 0 is the first run of the node; by default the last one
 */
export function itemsOf(
	execution: Execution,
	node: string,
	{ output = 0, run = -1 }: { output?: number; run?: number } = {},
): INodeExecutionData[] {
	return execution.runData[node]?.at(run)?.data?.main[output] ?? [];
}

/** The error of a node's last run, or the one that ended the execution. */
export function errorOf(execution: Execution, node?: string): ExecutionError | undefined {
	return node === undefined ? execution.error : execution.runData[node]?.at(-1)?.error;
}

/**
 * Reads the format in which n8n stores an execution's data: a JSON array in which every object's and array's strings are
 * positions in the outer array, so that shared and circular parts are kept.
 */
export function decodeFlatted(text: string): unknown {
	const parts = asArray(JSON.parse(text));
	const decoded = new Map<number, unknown>();
	const at = (position: number): unknown => {
		if (decoded.has(position)) return decoded.get(position);
		const part = parts[position];
		if (Array.isArray(part)) {
			const list: unknown[] = [];
			decoded.set(position, list);
			for (const value of part) list.push(valueOf(value));
			return list;
		}
		if (isRecord(part)) {
			const record: Record<string, unknown> = {};
			decoded.set(position, record);
			for (const [key, value] of Object.entries(part)) record[key] = valueOf(value);
			return record;
		}
		return part;
	};
	const valueOf = (value: unknown) => (typeof value === 'string' ? at(Number(value)) : value);
	return at(0);
}

function asExecution(value: unknown): Execution {
	const stored = asRecord(value);
	const data = typeof stored.data === 'string' ? decodeFlatted(stored.data) : stored.data;
	const resultData = isRecord(data) && isRecord(data.resultData) ? data.resultData : {};
	const text = (field: unknown) => (typeof field === 'string' ? field : null);
	return {
		id: String(stored.id),
		workflowId: String(stored.workflowId),
		mode: String(stored.mode),
		status: String(stored.status),
		finished: stored.finished === true,
		startedAt: String(stored.startedAt),
		stoppedAt: text(stored.stoppedAt),
		waitTill: text(stored.waitTill),
		retryOf: text(stored.retryOf),
		runData: isRunData(resultData.runData) ? resultData.runData : {},
		lastNodeExecuted: text(resultData.lastNodeExecuted) ?? undefined,
		error: isExecutionError(resultData.error) ? resultData.error : undefined,
		data,
	};
}

function onlyTrigger({ nodes }: WorkflowJson): string {
	const triggers = nodes.filter(({ type, disabled }) => /trigger$/i.test(type) && !disabled);
	if (triggers.length !== 1) throw new Error('Say which trigger to begin with');
	return triggers[0].name;
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asRecord(value: unknown): Record<string, unknown> {
	if (!isRecord(value)) throw new Error(`n8n answered ${JSON.stringify(value)}, not an object`);
	return value;
}

function asArray(value: unknown): unknown[] {
	if (!Array.isArray(value)) throw new Error(`n8n answered ${JSON.stringify(value)}, not a list`);
	return value;
}

function asSaved(value: unknown): SavedCredential {
	const { id, name, type } = asRecord(value);
	return { id: String(id), name: String(name), type: String(type) };
}

function asWorkflow(value: unknown): SavedWorkflow {
	if (!isSavedWorkflow(value)) throw new Error('n8n answered something that is not a workflow');
	return value;
}

function isSavedWorkflow(value: unknown): value is SavedWorkflow {
	return isRecord(value) && typeof value.id === 'string' && Array.isArray(value.nodes);
}

function isNodeType(value: unknown): value is INodeTypeDescription {
	return isRecord(value) && typeof value.name === 'string' && Array.isArray(value.properties);
}

function isDataObject(value: unknown): value is IDataObject {
	return isRecord(value);
}

function isRunData(value: unknown): value is Record<string, NodeRun[]> {
	return isRecord(value) && Object.values(value).every(Array.isArray);
}

function isExecutionError(value: unknown): value is ExecutionError {
	return isRecord(value) && typeof value.message === 'string';
}
