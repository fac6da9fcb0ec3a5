// Trouble on the way, in a real n8n: no video is paid twice, lost, or reported as something it is not.
import type { IDataObject, INodeParameters } from 'n8n-workflow';

import type { Fault, UnreachableKind } from '../sandbox/server.cjs';
import { itemsOf } from '../support/n8n/server.cjs';
import {
	api,
	CONTINUE,
	CREDENTIAL_TYPE,
	ERROR_OUTPUT,
	NEXT,
	ON_ERROR,
	output,
	posts,
	readError,
	retry,
	run,
	sandbox,
	saveCredential,
	WRONG_KEY,
} from '../support/n8n/world.cjs';
import { startTaskAt } from '../support/tasks.cjs';

const paidIds = () => sandbox.ledger.charges().map(({ taskId }) => taskId);

describe('an API that', () => {
	it.each([undefined, 'exact'] as const)(
		'allows 2 reads a second gives every video (Retry-After: %s)',
		async (retryAfter) => {
			const rows: IDataObject[] = [];
			while (rows.length < 20) rows.push({ task_id: await startTaskAt(sandbox) });
			sandbox.faults.limits.add({
				route: 'status',
				perSecond: 2,
				...(retryAfter && { retryAfter }),
			});
			const execution = await run(
				{ operation: 'wait' },
				{ rows, onError: CONTINUE, timeoutMs: 55_000 },
			);
			expect(output(execution)).toMatchObject(rows.map((row) => ({ ...row, succeeded: true })));
		},
	);

	it.each<[string, 'generate' | 'status' | 'video', Fault, IDataObject]>([
		['answers no read', 'status', { kind: 'hang' }, { charged: 'unknown' }],
		['answers a read byte by byte', 'status', { kind: 'drip', everyMs: 700 }, {}],
		['answers no POST', 'generate', { kind: 'accept-then-hang' }, { error_code: 'maybe_created' }],
		['sends no file', 'video', { kind: 'hang' }, { error_code: 'download_failed', charged: 'yes' }],
	])(
		"%s does not keep the item from coming out before the workflow's own limit",
		async (_, route, fault, told) => {
			sandbox.faults.on(route, fault, { times: 'always' });
			const execution = await run(
				{ downloadVideo: true },
				{ onError: CONTINUE, settings: { executionTimeout: 15 } },
			);
			expect(execution.status).toBe('success');
			const [item] = output(execution);
			expect(item).toMatchObject({ succeeded: false, ...told });
			if (route !== 'generate') expect(item.task_id).toBe(paidIds()[0]);
			expect(item.charged).not.toBe('no');
			expect(posts()).toHaveLength(1);
		},
	);

	it.each<UnreachableKind>(['https-to-http', 'closing-tls', 'bad-port', 'no-url'])(
		'no request can reach (%s) has charged nothing, and Retry after the correction starts the video',
		async (kind) => {
			const credentials = await saveCredential({ baseUrl: sandbox.unreachable[kind] });
			const failed = await run({}, { credentials });
			const { description, context } = readError(failed);
			expect(context).toMatchObject({ error_code: 'not_created', charged: 'no' });
			expect(description).toContain('No credits were spent.');
			await api.updateCredential(String(credentials[CREDENTIAL_TYPE].id), {
				name: 'Another account',
				type: CREDENTIAL_TYPE,
				data: { apiKey: sandbox.apiKey, baseUrl: sandbox.baseUrl },
			});
			const again = await retry(failed);
			expect(output(again)).toMatchObject([{ task_id: paidIds()[0], succeeded: true }]);
			expect(posts()).toHaveLength(1);
		},
	);

	it.each<[string, Fault]>([
		['a text', { kind: 'firewall' }],
		['JSON', { kind: 'refuse-with', status: 403, body: { error_code: 1010 } }],
	])('stands behind a firewall (%s) is not told as a wrong key or base URL', async (_, fault) => {
		sandbox.faults.on('generate', fault, { times: 'always' });
		const { message, description, context } = readError(await run());
		expect(context).toMatchObject({ error_code: 'not_created', charged: 'no' });
		expect(message).toMatch(/firewall/i);
		expect(`${message} ${description}`).not.toMatch(/base URL/i);
	});

	it.each([403, 404, 410])('answers a link once with %i gives the video', async (status) => {
		const outcome = { status: 'SUCCESS', link: { refusals: 1, status } } as const;
		sandbox.faults.on('generate', { kind: 'task', outcome });
		const [{ json, binary }] = itemsOf(await run({ downloadVideo: true }), NEXT);
		expect(json).toMatchObject({ succeeded: true, error_message: null });
		expect(binary?.data).toMatchObject({ mimeType: 'video/mp4' });
		expect(posts()).toHaveLength(1);
	});

	it('sends a page in place of the file gives no file, and the link', async () => {
		sandbox.faults.on('video', { kind: 'video-body', body: 'html' }, { times: 'always' });
		const execution = await run({ downloadVideo: true }, { onError: CONTINUE, timeoutMs: 45_000 });
		const [{ json, binary }] = itemsOf(execution, NEXT);
		expect(binary).toBeUndefined();
		expect(json).toMatchObject({
			task_id: paidIds()[0],
			error_code: 'download_failed',
			charged: 'yes',
			video_url: expect.stringContaining('.mp4'),
		});
	});
});

it.each(['out_of_credits', 'invalid_api_key'])(
	'the trouble of one account (%s) does not end the rows of another',
	async (error_code) => {
		sandbox.otherAccount.balance = 0;
		const other = error_code === 'out_of_credits' ? sandbox.otherAccount.apiKey : WRONG_KEY;
		const credentials = await saveCredential({
			apiKey: `={{ $json.prompt === 'main' ? '${sandbox.apiKey}' : '${other}' }}`,
		});
		const rows = ['other', 'main', 'other', 'main'];
		const execution = await run({}, { rows, credentials, onError: CONTINUE });
		const [first, second] = paidIds();
		expect(output(execution)).toMatchObject([
			{ error_code, charged: 'no', succeeded: false },
			{ task_id: first, succeeded: true },
			{ charged: 'no', succeeded: false },
			{ task_id: second, succeeded: true },
		]);
		expect(sandbox.ledger.postsWithPrompt('other')).toBe(1);
	},
);

describe('an expression', () => {
	const UNREADABLE = '={{ $("No such node").first().json.value }}';

	it.each<INodeParameters>([
		{ waitMethod: UNREADABLE },
		{ options: { timeout: UNREADABLE } },
		{ options: { maxCredits: UNREADABLE } },
		{ options: { batching: { batch: { batchSize: UNREADABLE } } } },
		{ simplify: UNREADABLE },
		{ duration: UNREADABLE },
	])('that cannot be read gives a failed item, not the input row: %j', async (parameters) => {
		const rows = [{ prompt: 'A boat', row: 7 }];
		const continued = output(await run(parameters, { rows, onError: CONTINUE }));
		expect(continued).toMatchObject([{ succeeded: false, error_code: 'invalid_input' }]);
		expect(continued[0]).not.toHaveProperty('row');
		const split = await run(parameters, { rows, onError: ERROR_OUTPUT });
		expect(output(split)).toEqual([]);
		expect(output(split, ON_ERROR)).toMatchObject([
			{ row: 7, error: expect.any(String), details: { succeeded: false } },
		]);
		expect(posts()).toHaveLength(0);
	});

	it.each<[string, unknown]>([
		['={{ $json.value }}', '[object Object]'],
		['={{ $json.value }}', { title: 'A boat' }],
		['=A boat of {{ $json.value }}', { a: 1 }],
		['={{ $json.value }}', [{ a: 1 }]],
		['={{ $json.value }}', 'undefined'],
		['={{ $json.value }}', ' null '],
		['={{ $json.value }}', 'A cat in {{city}}'],
	])('that gives a broken prompt is not paid: %s of %j', async (prompt, value) => {
		const rows = [JSON.parse(JSON.stringify({ value }))];
		const { description, context } = readError(await run({ prompt }, { rows }));
		expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
		expect(description).toContain('No credits were spent.');
		expect(posts()).toHaveLength(0);
	});

	it('that gives a prompt which only looks like that is a video', async () => {
		const prompt = 'An [object] named Null in undefined {gravity}';
		expect(output(await run({}, { rows: [prompt] }))).toMatchObject([{ prompt, succeeded: true }]);
	});
});
