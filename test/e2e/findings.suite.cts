// Faults that use has shown, each with other members of its kind, in a real n8n: no video is paid twice, lost, or reported as
// something it is not.
import type { IDataObject, INodeParameters } from 'n8n-workflow';

import { ENCODINGS, isRecord, type Fault, type UnreachableKind } from '../sandbox/server.cjs';
import { itemsOf, type Execution } from '../support/n8n/server.cjs';
import {
	CREDENTIAL_TYPE,
	endOf,
	jsonAt,
	NEXT,
	ON_ERROR,
	readError,
	retry,
	runScene,
	startScene,
	startTask,
	until,
	world,
	WRONG_KEY,
	type Scene,
} from './world.cjs';

const CONTINUE: Scene['settings'] = { onError: 'continueRegularOutput' };

/** An expression that n8n refuses to compute. */
const UNREADABLE = '={{ $("No such node").first().json.value }}';

/** The ids of all videos that the main account has paid for, in order. */
function paidIds(): string[] {
	return world()
		.sandbox.ledger.charges()
		.map(({ taskId }) => taskId);
}

/** Saves one more credential for the sandbox; `change` may hold expressions. */
async function credentialWith(change: { apiKey?: string; baseUrl?: string }): Promise<string> {
	const { api, sandbox } = world();
	const { apiKey, baseUrl } = sandbox;
	const { id } = await api.createCredential({
		name: 'Another account',
		type: CREDENTIAL_TYPE,
		data: { apiKey, baseUrl, ...change },
	});
	return id;
}

/** The file of an item, byte for byte; undefined for an item without one. */
async function fileOf(execution: Execution, index = 0): Promise<Buffer | undefined> {
	const binary = itemsOf(execution, NEXT)[index]?.binary?.data;
	return binary && (await world().api.downloadBinary(binary));
}

/** What n8n keeps beside an execution for whoever looks at it ("Highlighted data"). */
async function highlightsOf(executionId: string): Promise<IDataObject> {
	const execution = await world().api.call('GET', `/executions/${executionId}`);
	return isRecord(execution) && isRecord(execution.customData)
		? (execution.customData as IDataObject)
		: {};
}

function retriesSuite() {
	it.each([
		['a random number', '=A boat {{ Math.random() }}'],
		['the time', '=A boat at {{ $now.toMillis() }}'],
		['a random text', '=A boat called {{ Math.random().toString(36) }}'],
	])('sends one POST when its answer is lost, though the prompt holds %s', async (_, prompt) => {
		const { faults, ledger } = world().sandbox;
		faults.on('generate', { kind: 'accept-then-reset' });
		const failed = await runScene({
			parameters: { operation: 'generateAndWait', prompt },
			settings: { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 },
		});
		expect(readError(failed).context).toMatchObject({
			error_code: 'maybe_created',
			charged: 'unknown',
		});
		expect(ledger.posts()).toHaveLength(1);
	});

	it.each([
		['a random number', '={{ $json.prompt }} {{ Math.random() }}'],
		['the number of the execution', '={{ $json.prompt }} {{ $execution.id }}'],
	])(
		'pays no row again when a person retries after one failure, though the prompts hold %s',
		async (_, prompt) => {
			const { faults, ledger } = world().sandbox;
			const rows = ['one', 'two', 'three', 'four'].map((text) => ({ prompt: text }));
			faults.on('generate', { kind: 'error', code: 'INSUFFICIENT_CREDITS' }, { nth: 4 });
			const failed = await runScene({
				parameters: { operation: 'generateAndWait', prompt },
				rows,
			});
			expect(failed.status).toBe('error');
			const before = paidIds();
			expect(before).toHaveLength(3);

			const again = await retry(failed.id);

			expect(jsonAt(again, NEXT).map(({ task_id }) => task_id)).toEqual([
				...before,
				...paidIds().slice(3),
			]);
			expect(ledger.charges()).toHaveLength(4);
		},
	);
}

function waitingSuite() {
	it.each<[string, number, 'exact' | undefined]>([
		['without Retry-After', 30, undefined],
		['with Retry-After', 12, 'exact'],
	])(
		'delivers every task of an API that allows 2 reads a second, %s (%i tasks)',
		async (_, count, retryAfter) => {
			const { sandbox } = world();
			const ids: string[] = [];
			for (let n = 0; n < count; n++) ids.push(await startTask(`Boat ${n}`));
			sandbox.faults.limits.add({
				route: 'status',
				perSecond: 2,
				...(retryAfter && { retryAfter }),
			});
			const execution = await runScene(
				{
					parameters: { operation: 'wait', downloadVideo: false, options: {} },
					rows: ids.map((task_id) => ({ task_id })),
					settings: CONTINUE,
				},
				55_000,
			);
			expect(jsonAt(execution, NEXT)).toMatchObject(
				ids.map((task_id) => ({ task_id, succeeded: true })),
			);
		},
	);

	it.each<[string, Fault]>([
		['never answers', { kind: 'hang' }],
		['sends a byte now and then', { kind: 'drip', everyMs: 700 }],
	])(
		"gives the item with its id before the workflow's own limit, when GET /status %s",
		async (_, fault) => {
			const { sandbox } = world();
			sandbox.faults.on('status', fault, { times: 'always' });
			const execution = await runScene({
				parameters: { operation: 'generateAndWait' },
				settings: CONTINUE,
				workflowSettings: { executionTimeout: 15 },
			});
			expect(execution.status).toBe('success');
			const [task_id] = paidIds();
			const items = jsonAt(execution, NEXT);
			expect(items).toMatchObject([{ task_id, succeeded: false, video_url: null }]);
			expect(['SUCCESS', 'FAILED']).not.toContain(items[0].status);
			expect(['timeout', 'contact_lost']).toContain(items[0].error_code);
			expect(items[0].charged).not.toBe('no');
		},
	);

	it("gives the item with its id and link before the workflow's own limit, when the download hangs", async () => {
		const { sandbox } = world();
		sandbox.faults.on('video', { kind: 'hang' }, { times: 'always' });
		const execution = await runScene({
			parameters: { operation: 'generateAndWait', downloadVideo: true },
			settings: CONTINUE,
			workflowSettings: { executionTimeout: 15 },
		});
		expect(execution.status).toBe('success');
		const [task_id] = paidIds();
		expect(jsonAt(execution, NEXT)).toMatchObject([
			{
				task_id,
				succeeded: false,
				video_url: expect.stringContaining('.mp4'),
				error_code: 'download_failed',
				charged: 'yes',
			},
		]);
	});

	it("gives the item before the workflow's own limit, when the answer to the POST never comes", async () => {
		const { sandbox } = world();
		sandbox.faults.on('generate', { kind: 'accept-then-hang' });
		const execution = await runScene({
			parameters: { operation: 'generateAndWait' },
			settings: CONTINUE,
			workflowSettings: { executionTimeout: 15 },
		});
		expect(execution.status).toBe('success');
		expect(jsonAt(execution, NEXT)).toMatchObject([
			{ succeeded: false, error_code: 'maybe_created', charged: 'unknown' },
		]);
		expect(sandbox.ledger.posts()).toHaveLength(1);
	});
}

function requestsSuite() {
	it.each<UnreachableKind>(['https-to-http', 'closing-tls', 'bad-port', 'no-url'])(
		'says that nothing was created where no request can leave (%s), and Retry after the correction starts it',
		async (kind) => {
			const { api, sandbox } = world();
			const credentialId = await credentialWith({ baseUrl: sandbox.unreachable[kind] });
			const failed = await runScene({
				parameters: { operation: 'generateAndWait' },
				credentialId,
			});
			const { description, context } = readError(failed);
			expect(context).toMatchObject({ error_code: 'not_created', charged: 'no' });
			expect(description).toContain('No credits were spent.');
			await api.updateCredential(credentialId, {
				name: 'Another account',
				type: CREDENTIAL_TYPE,
				data: { apiKey: sandbox.apiKey, baseUrl: sandbox.baseUrl },
			});

			const again = await retry(failed.id);

			expect(jsonAt(again, NEXT)).toMatchObject([{ task_id: paidIds()[0], succeeded: true }]);
			expect(sandbox.ledger.posts()).toHaveLength(1);
		},
	);

	it('starts the rows of the other account when that of the first row is empty', async () => {
		const { sandbox } = world();
		sandbox.otherAccount.balance = 0;
		const { apiKey, otherAccount } = sandbox;
		const execution = await runScene({
			parameters: { operation: 'generateAndWait' },
			credentialId: await credentialWith({
				apiKey: `={{ $json.account === 'main' ? '${apiKey}' : '${otherAccount.apiKey}' }}`,
			}),
			rows: ['other', 'main', 'other', 'main'].map((account) => ({ account, prompt: account })),
			settings: CONTINUE,
		});
		const [first, second] = paidIds();
		expect(jsonAt(execution, NEXT)).toMatchObject([
			{ error_code: 'out_of_credits', charged: 'no', succeeded: false },
			{ task_id: first, succeeded: true },
			{ charged: 'no', succeeded: false },
			{ task_id: second, succeeded: true },
		]);
		expect(sandbox.ledger.postsWithPrompt('other')).toBe(1);
	});

	it('starts the rows of the right key when that of the first row is refused', async () => {
		const { sandbox } = world();
		const execution = await runScene({
			parameters: { operation: 'generateAndWait' },
			credentialId: await credentialWith({
				apiKey: `={{ $json.account === 'main' ? '${sandbox.apiKey}' : '${WRONG_KEY}' }}`,
			}),
			rows: ['wrong', 'main', 'wrong', 'main'].map((account) => ({ account, prompt: account })),
			settings: CONTINUE,
		});
		const [first, second] = paidIds();
		expect(jsonAt(execution, NEXT)).toMatchObject([
			{ error_code: 'invalid_api_key', charged: 'no', succeeded: false },
			{ task_id: first, succeeded: true },
			{ charged: 'no', succeeded: false },
			{ task_id: second, succeeded: true },
		]);
		expect(sandbox.ledger.postsWithPrompt('wrong')).toBe(1);
	});
}

/** What the vendor's firewall answers before the API sees a request. */
const BLOCKED: Array<[string, Fault]> = [
	['a text', { kind: 'firewall' }],
	['JSON', { kind: 'refuse-with', status: 403, body: { error_code: 1010 } }],
];

function firewallSuite() {
	it.each(BLOCKED)(
		'is told from a wrong key or base URL, and nothing is charged (%s)',
		async (_, fault) => {
			const { faults, ledger } = world().sandbox;
			faults.on('generate', fault, { times: 'always' });
			const { message, description, context } = readError(
				await runScene({ parameters: { operation: 'generateAndWait' } }),
			);
			expect(context).toMatchObject({ error_code: 'not_created', charged: 'no' });
			expect(message).toMatch(/firewall/i);
			expect(`${message} ${description}`).not.toMatch(/base URL/i);
			expect(ledger.charges()).toHaveLength(0);
		},
	);

	it('is told who asks: each request names this package', async () => {
		const { ledger } = world().sandbox;
		await runScene({ parameters: { operation: 'generateAndWait', downloadVideo: true } });
		const requests = [ledger.posts(), ledger.statusReads(), ledger.videoReads()];
		for (const kind of requests) {
			expect(kind.length).toBeGreaterThan(0);
			for (const { headers } of kind) {
				expect(headers['user-agent']).toMatch(/^n8n-nodes-seedance\/\d+\.\d+\.\d+ /);
			}
		}
	});
}

function expressionsSuite() {
	const FIELDS: Array<[string, INodeParameters]> = [
		['Wait Method', { waitMethod: UNREADABLE }],
		['Timeout', { options: { timeout: UNREADABLE } }],
		['Maximum Credits per Run', { options: { maxCredits: UNREADABLE } }],
		['Batching', { options: { batching: { batch: { batchSize: UNREADABLE } } } }],
		['Simplify', { simplify: UNREADABLE }],
		['Duration', { duration: UNREADABLE }],
	];

	it.each(FIELDS)(
		'gives a failed item, not the input row, when %s cannot be read',
		async (_, parameters) => {
			const { ledger } = world().sandbox;
			const execution = await runScene({
				parameters: { operation: 'generateAndWait', ...parameters },
				rows: [{ prompt: 'A boat', row: 7 }],
				settings: CONTINUE,
			});
			const items = jsonAt(execution, NEXT);
			expect(items).toMatchObject([
				{ succeeded: false, error_code: expect.any(String), error_message: expect.any(String) },
			]);
			expect(items[0]).not.toHaveProperty('row');
			if (ledger.posts().length > 0) expect(items[0].charged).not.toBe('no');
			expect(JSON.stringify(items)).toContain(paidIds()[0] ?? '');
		},
	);

	it.each(FIELDS)('takes the error output when %s cannot be read', async (_, parameters) => {
		const execution = await runScene({
			parameters: { operation: 'generateAndWait', ...parameters },
			rows: [{ prompt: 'A boat', row: 7 }],
			settings: { onError: 'continueErrorOutput' },
		});
		expect(jsonAt(execution, NEXT)).toEqual([]);
		expect(jsonAt(execution, ON_ERROR)).toMatchObject([
			{ row: 7, error: expect.any(String), details: { succeeded: false } },
		]);
	});

	it.each<[string, string, IDataObject]>([
		['the text of an object', '={{ $json.value }}', { value: '[object Object]' }],
		['an object', '={{ $json.value }}', { value: { title: 'A boat' } }],
		['an object in a sentence', '=A boat of {{ $json.value }}', { value: { a: 1 } }],
		['a list of objects', '={{ $json.value }}', { value: [{ a: 1 }] }],
		['the word undefined', '={{ $json.value }}', { value: 'undefined' }],
		['the word null', '={{ $json.value }}', { value: ' null ' }],
		['a placeholder that nobody filled', '={{ $json.value }}', { value: 'A cat in {{city}}' }],
	])('does not pay for a prompt that is %s', async (_, prompt, row) => {
		const { ledger } = world().sandbox;
		const { description, context } = readError(
			await runScene({ parameters: { operation: 'generateAndWait', prompt }, rows: [row] }),
		);
		expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
		expect(description).toContain('No credits were spent.');
		expect(ledger.posts()).toHaveLength(0);
	});

	it.each([
		'An undefined shape in null gravity',
		'An object [with brackets] and {braces}',
		'A boat named Null',
	])('makes the video of a prompt that only looks like that: %s', async (prompt) => {
		const execution = await runScene({
			parameters: { operation: 'generateAndWait' },
			rows: [{ prompt }],
		});
		expect(jsonAt(execution, NEXT)).toMatchObject([{ prompt, succeeded: true }]);
	});
}

function filesSuite() {
	it('has stored the first video when its link dies before the last one is ready', async () => {
		const { sandbox } = world();
		sandbox.speed = 1;
		const dies = { status: 'SUCCESS' as const, link: { seconds: 5, isRenewed: false } };
		sandbox.faults.on('generate', { kind: 'task', seconds: 1, outcome: dies }, { prompt: 'soon' });
		sandbox.faults.on('generate', { kind: 'task', seconds: 13 }, { prompt: 'late' });
		const execution = await runScene(
			{
				parameters: { operation: 'generateAndWait', downloadVideo: true },
				rows: [{ prompt: 'soon' }, { prompt: 'late' }],
				settings: CONTINUE,
			},
			45_000,
		);
		expect(jsonAt(execution, NEXT)).toMatchObject([{ succeeded: true }, { succeeded: true }]);
		expect((await fileOf(execution, 0))?.length).toBeGreaterThan(0);
		expect((await fileOf(execution, 1))?.length).toBeGreaterThan(0);
	});

	it.each([403, 404, 410])(
		'reads the task again when its link answers %i, and stores the video',
		async (status) => {
			const { sandbox } = world();
			const outcome = { status: 'SUCCESS' as const, link: { refusals: 1, status } };
			sandbox.faults.on('generate', { kind: 'task', outcome });
			const execution = await runScene({
				parameters: { operation: 'generateAndWait', downloadVideo: true },
				settings: CONTINUE,
			});
			expect(jsonAt(execution, NEXT)).toMatchObject([{ succeeded: true, error_message: null }]);
			expect((await fileOf(execution))?.length).toBeGreaterThan(0);
			expect(sandbox.ledger.posts()).toHaveLength(1);
		},
	);

	it.each(ENCODINGS)('stores a video that comes packed as %s, unpacked', async (encoding) => {
		const { sandbox } = world();
		sandbox.videoBytes = 50_000;
		sandbox.faults.on('video', { kind: 'encoded', encoding }, { times: 'always' });
		const execution = await runScene({
			parameters: { operation: 'generateAndWait', downloadVideo: true },
		});
		const file = await fileOf(execution);
		expect(file?.length).toBe(50_000);
		expect(file?.toString('latin1', 4, 8)).toBe('ftyp');
	});

	it.each(['html', 'json', 'text', 'png'] as const)(
		'does not take %s under video/mp4 for a video',
		async (body) => {
			const { sandbox } = world();
			sandbox.faults.on('video', { kind: 'video-body', body }, { times: 'always' });
			const execution = await runScene(
				{
					parameters: { operation: 'generateAndWait', downloadVideo: true },
					settings: CONTINUE,
				},
				45_000,
			);
			expect(itemsOf(execution, NEXT)[0].binary).toBeUndefined();
			expect(jsonAt(execution, NEXT)).toMatchObject([
				{
					task_id: paidIds()[0],
					succeeded: false,
					error_code: 'download_failed',
					charged: 'yes',
					video_url: expect.stringContaining('.mp4'),
				},
			]);
		},
	);

	it.each<[string, Fault, string]>([
		['text/html', { kind: 'content-type', value: 'text/html' }, 'video/mp4'],
		[
			'application/octet-stream',
			{ kind: 'content-type', value: 'application/octet-stream' },
			'video/mp4',
		],
		['no type', { kind: 'no-content-type' }, 'video/mp4'],
		['video/mp4, though WebM', { kind: 'video-body', body: 'webm' }, 'video/webm'],
	])('stores a video that is sent as %s by what it is', async (_, fault, mimeType) => {
		world().sandbox.faults.on('video', fault, { times: 'always' });
		const execution = await runScene({
			parameters: { operation: 'generateAndWait', downloadVideo: true },
		});
		expect(jsonAt(execution, NEXT)).toMatchObject([{ succeeded: true }]);
		expect(itemsOf(execution, NEXT)[0].binary?.data).toMatchObject({ mimeType });
	});
}

function stoppedSuite() {
	it.each([2, 30])(
		'keeps the ids of its %i videos in the data of an execution that was stopped',
		async (count) => {
			const { api, sandbox } = world();
			const id = await startScene({
				parameters: { operation: 'generateAndWait' },
				rows: Array.from({ length: count }, (_, n) => ({ prompt: `Boat ${n} [never]` })),
			});
			await sandbox.ledger.until((ledger) => ledger.charges().length === count, 20_000);
			await until('a task is waited for', () => sandbox.ledger.statusReads().length > 0);
			await api.stopExecution(id);
			expect((await endOf(id)).status).toBe('canceled');
			const highlights = await highlightsOf(id);
			const kept = Object.entries(highlights)
				.filter(([key]) => key.startsWith('seedance_tasks'))
				.map(([, value]) => String(value));
			expect(kept.flatMap((value) => value.split(', ')).sort()).toEqual([...paidIds()].sort());
			expect(Number(highlights.seedance_credits)).toBe(sandbox.ledger.spent);
		},
	);

	it('keeps the id of the first video when it is stopped while the second is being sent', async () => {
		const { api, sandbox } = world();
		sandbox.faults.on('generate', { kind: 'delay', ms: 1_500 }, { nth: 2 });
		const id = await startScene({
			parameters: { operation: 'generateAndWait' },
			rows: [{ prompt: 'One [never]' }, { prompt: 'Two [never]' }],
		});
		await sandbox.ledger.until((ledger) => ledger.posts().length === 2);
		await api.stopExecution(id);
		expect((await endOf(id)).status).toBe('canceled');
		expect((await highlightsOf(id)).seedance_tasks).toContain(paidIds()[0]);
		await sandbox.ledger.until((ledger) => ledger.charges().length === 2);
	});
}

export function findingsSuite() {
	describe('run again', retriesSuite);
	describe('waiting', waitingSuite);
	describe('requests and accounts', requestsSuite);
	describe("the vendor's firewall", firewallSuite);
	describe('expressions', expressionsSuite);
	describe('files', filesSuite);
	describe('a stopped execution', stoppedSuite);
}
