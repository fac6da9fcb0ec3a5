// The errors of the contract as a person reads them in the editor: what happened, what to do, whether it cost credits.
import { ERRORS, type ErrorCode } from '../sandbox/server.cjs';
import type { Execution } from '../support/n8n/server.cjs';
import {
	CREDENTIAL_TYPE,
	readError,
	runScene,
	startTask,
	world,
	WRONG_KEY,
	type Scene,
} from './world.cjs';

const NOTHING_SPENT = 'No credits were spent.';
const NOT_KNOWN = 'Whether credits were spent is not known.';

const GENERATE: Scene = { parameters: { operation: 'generateAndWait' } };

/** Runs into an error and checks what every error has to keep: no paid task hidden, no false advice. */
async function errorOfRun(scene: Scene) {
	return checked(await runScene(scene));
}

function checked(execution: Execution) {
	const error = readError(execution);
	const shown = JSON.stringify(execution.error);
	expect(shown).not.toMatch(/retry automatically|retry on fail/i);
	expect(shown).not.toMatch(/<!doctype|<html|<h1/i);
	expect(error.description).toMatch(/credits.*(were spent|is not known)\./);
	return error;
}

const SHAPES = ['string-code', 'numeric-code-http-200'] as const;

export function errorsSuite() {
	const refusals: ErrorCode[] = [
		'INVALID_PROMPT',
		'INVALID_ASPECT_RATIO',
		'INVALID_RESOLUTION',
		'INVALID_DURATION',
		'TOO_MANY_IMAGES',
	];
	describe.each(SHAPES)('answered as %s', (shape) => {
		it.each(refusals)("%s gives the API's words, and says that nothing was spent", async (code) => {
			const { sandbox } = world();
			sandbox.faults.on('generate', { kind: 'error', code, shape });
			const { message, description, context } = await errorOfRun(GENERATE);
			expect(message).toBe(`The API refused the request: ${ERRORS[code].message}.`);
			expect(description).toContain('Change the value that it names');
			expect(description).toContain(NOTHING_SPENT);
			expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
			expect(sandbox.ledger.posts()).toHaveLength(1);
		});

		it('INSUFFICIENT_CREDITS says to add credits, and that nothing was spent', async () => {
			const { sandbox } = world();
			sandbox.errorShape = shape;
			sandbox.ledger.balance = 3;
			const { message, description, context } = await errorOfRun(GENERATE);
			expect(message).toBe('Your Seedance account does not have enough credits.');
			expect(description).toContain('Add credits at seedanceapi.org');
			expect(description).toContain(NOTHING_SPENT);
			expect(context).toMatchObject({ error_code: 'out_of_credits', charged: 'no' });
			expect(sandbox.ledger.balance).toBe(3);
		});

		it('INVALID_API_KEY says which key works, and that nothing was spent', async () => {
			const { api, sandbox } = world();
			sandbox.errorShape = shape;
			const { id } = await api.createCredential({
				name: 'Wrong key',
				type: CREDENTIAL_TYPE,
				data: { apiKey: WRONG_KEY, baseUrl: sandbox.baseUrl },
			});
			const { message, description, context } = await errorOfRun({ ...GENERATE, credentialId: id });
			expect(message).toBe('The API key was refused.');
			expect(description).toContain('your seedanceapi.org dashboard');
			expect(description).toContain(NOTHING_SPENT);
			expect(context).toMatchObject({ error_code: 'invalid_api_key', charged: 'no' });
		});

		it('TASK_NOT_FOUND names the task and the two things to check', async () => {
			const { sandbox } = world();
			sandbox.errorShape = shape;
			const taskId = sandbox.otherAccount.createTask();
			const { message, description, context } = await errorOfRun({
				parameters: { operation: 'status' },
				rows: [{ task_id: taskId }],
			});
			expect(message).toBe(`There is no task ${taskId} in this Seedance account.`);
			expect(description).toMatch(/Check the task ID.*the account that started it/);
			expect(context).toMatchObject({ error_code: 'task_not_found', task_id: taskId });
		});

		it('INTERNAL_ERROR after a start says that it may have been charged, and sends it once', async () => {
			const { sandbox } = world();
			sandbox.faults.on('generate', {
				kind: 'error',
				code: 'INTERNAL_ERROR',
				shape,
				accept: true,
			});
			const { message, description, context } = await errorOfRun(GENERATE);
			expect(message).toContain('The video may have been started, and charged');
			expect(description).toContain('Look in your seedanceapi.org dashboard');
			expect(description).toContain(NOT_KNOWN);
			expect(context).toMatchObject({ error_code: 'maybe_created', charged: 'unknown' });
			expect(sandbox.ledger.posts()).toHaveLength(1);
		});
	});

	it('INTERNAL_ERROR at every reading until the Timeout is told with the task ID and how to fetch the video', async () => {
		const { sandbox } = world();
		sandbox.faults.on('status', { kind: 'error', code: 'INTERNAL_ERROR' }, { times: 'always' });
		const { message, description, context } = await errorOfRun({
			parameters: {
				operation: 'generateAndWait',
				options: { pollInterval: 1, timeout: 0.25 },
			},
		});
		const [{ taskId }] = sandbox.ledger.charges();
		expect(message).toContain(`Contact lost with task ${taskId}`);
		expect(description).toContain(`Wait for Video or Get Status with task ID ${taskId}`);
		expect(context).toMatchObject({ error_code: 'contact_lost', task_id: taskId });
	});

	it("a proxy's page after a start is told in a sentence, not as HTML", async () => {
		world().sandbox.faults.on('generate', { kind: 'html', status: 502, accept: true });
		const { message, description } = await errorOfRun(GENERATE);
		expect(message).toContain('The video may have been started, and charged');
		expect(description).toContain(NOT_KNOWN);
	});

	it('an API that nobody can reach says what to check, and that nothing was spent', async () => {
		const { api, sandbox } = world();
		const { id } = await api.createCredential({
			name: 'Wrong address',
			type: CREDENTIAL_TYPE,
			data: { apiKey: sandbox.apiKey, baseUrl: 'https://no-such-host.invalid/v1' },
		});
		const { message, description } = checked(
			await runScene(
				{ parameters: { operation: 'generate' }, credentialId: id },
				// A host that is not found is tried again: a name server may be slow for a moment.
				60_000,
			),
		);
		expect(message).toBe('The Seedance API could not be reached, so the video was not started.');
		expect(description).toContain('ENOTFOUND');
		expect(description).toContain('Check the base URL in the credential');
		expect(description).toContain(NOTHING_SPENT);
	});

	it("a failed task names the task and the API's reason", async () => {
		const { message, description, context } = await errorOfRun({
			...GENERATE,
			rows: [{ prompt: 'A boat [fail]' }],
		});
		const [{ taskId }] = world().sandbox.ledger.charges();
		expect(message).toBe(
			`The video could not be generated (task ${taskId}): The content was not accepted.`,
		);
		expect(description).toContain(NOTHING_SPENT);
		expect(context).toMatchObject({ error_code: 'task_failed', charged: 'no' });
	});

	it('a success without a video is a failure of its own name', async () => {
		const scene = { ...GENERATE, rows: [{ prompt: 'A boat [no video]' }] };
		// The video gets half a minute to come.
		const { message, context } = checked(await runScene(scene, 90_000));
		expect(message).toContain('succeeded, but it holds no video');
		expect(context).toMatchObject({ error_code: 'no_video' });
	});

	it('a video that is not ready in time is not lost, and says how to get it', async () => {
		const { message, description, context } = await errorOfRun({
			parameters: {
				operation: 'generateAndWait',
				options: { pollInterval: 1, timeout: 0.03 },
			},
			rows: [{ prompt: 'A boat [never]' }],
		});
		const [{ taskId }] = world().sandbox.ledger.charges();
		expect(message).toBe(`The video was not ready after 2 seconds (task ${taskId}).`);
		expect(description).toContain(`Wait for Video or Get Status with task ID ${taskId}`);
		expect(context).toMatchObject({ error_code: 'timeout', charged: 'unknown' });
	});

	it('a link that is dead a moment after the start is not called expired, and the video was paid for', async () => {
		const taskId = await startTask('A boat [expired]');
		const { message, description, context } = await errorOfRun({
			parameters: { operation: 'wait', downloadVideo: true },
			rows: [{ task_id: taskId }],
		});
		expect(message).toContain(`could not be downloaded (task ${taskId}): HTTP 410.`);
		expect(description).toContain('The credits for this video were spent.');
		expect(context).toMatchObject({ error_code: 'download_failed', charged: 'yes' });
	});

	it('wrong values are refused before any request, all in one message with their items', async () => {
		const { message, description } = await errorOfRun({
			parameters: {
				operation: 'generateAndWait',
				aspectRatio: '={{ $json.ratio }}',
				duration: '={{ $json.seconds }}',
			},
			rows: [
				{ prompt: 'A good one', ratio: '1:1', seconds: 4 },
				{ prompt: 'A wrong ratio', ratio: '5:4', seconds: 4 },
				{ prompt: 'A wrong duration', ratio: '1:1', seconds: 7 },
			],
		});
		expect(message).toBe('2 of 3 items cannot be used.');
		const [ratio, duration] = description.split('<br />');
		expect(ratio).toMatch(/"A wrong ratio".*5:4.*\[item 1\] \(number 2 of 3\)/);
		expect(duration).toMatch(/"A wrong duration".*7.*\[item 2\] \(number 3 of 3\)/);
		expect(description).toContain(NOTHING_SPENT);
		expect(world().sandbox.ledger.posts()).toHaveLength(0);
	});
}
