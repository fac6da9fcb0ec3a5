// Callback URL and Callback Metadata of Generate Without Waiting, in n8n's engine: what the API gets, and what nobody gets.
import type { INodeParameters } from 'n8n-workflow';

import { metadataIn } from '../../nodes/shared/callback/signature';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
/** The sandbox is on this machine, so the API may be given an address that only exists here. */
const HOOK = 'http://127.0.0.1:9/webhook/some-id/webhook';

const urls = () => world.sandbox.tasks.all().map(({ order }) => order.callback_url ?? '');
const metadata = () =>
	urls().map((url) => metadataIn(Object.fromEntries(new URL(url).searchParams)));

const generate = async (parameters: INodeParameters, rows: Array<Record<string, unknown>> = [{}]) =>
	await world.run(
		{ operation: 'generate', prompt: 'A boat', callbackUrl: HOOK, ...parameters },
		{ items: rows.map((row) => ({ json: JSON.parse(JSON.stringify(row)) })) },
	);

const values = (...list: Array<{ name: string; value: string }>) => ({
	callbackMetadata: { values: list },
});

beforeEach(() => {
	world.sandbox.callbacks.plan = { ...world.sandbox.callbacks.plan, never: true };
});

it('signs the URL of each item with its own metadata', async () => {
	await generate(values({ name: 'row', value: '={{ $json.row }}' }), [{ row: 2 }, { row: 3 }]);
	expect(metadata()).toEqual([{ row: 2 }, { row: 3 }]);
	for (const url of urls()) {
		expect(url).toMatch(
			/^http:\/\/127\.0\.0\.1:9\/webhook\/some-id\/webhook\?seedance_meta=.+&seedance_sig=[\w-]{43}$/,
		);
	}
	const [first, second] = urls().map((url) => new URL(url).searchParams.get('seedance_sig'));
	expect(first).not.toBe(second);
});

it('keeps the JSON type that an expression gives', async () => {
	await generate(
		values(
			{ name: 'number', value: '={{ $json.number }}' },
			{ name: 'text', value: '={{ $json.text }}' },
			{ name: 'flag', value: '={{ $json.flag }}' },
			{ name: 'list', value: '={{ $json.list }}' },
			{ name: 'object', value: '={{ $json.object }}' },
			{ name: 'missing', value: '={{ $json.missing }}' },
			{ name: 'typed', value: '5' },
		),
		[{ number: 7, text: '7', flag: false, list: [1, 2], object: { a: 1 } }],
	);
	expect(metadata()).toEqual([
		{
			number: 7,
			text: '7',
			flag: false,
			list: [1, 2],
			object: { a: 1 },
			missing: null,
			typed: '5',
		},
	]);
});

it('sends no callback URL where the field is empty', async () => {
	await generate({ callbackUrl: '={{ $json.hook }}' }, [{ hook: '' }, { hook: HOOK }]);
	expect(urls()[0]).toBe('');
	expect(urls()[1]).toContain('seedance_sig=');
	expect(world.sandbox.ledger.posts()[0].body).not.toContain('callback_url');
});

it.each([
	['too much metadata', values({ name: 'a', value: 'x'.repeat(1000) }), 'Send a row number'],
	[
		'a URL that is none',
		{ callbackUrl: 'my webhook' },
		'Callback URL "my webhook" is not a web link',
	],
	[
		'a URL that is too long',
		{ callbackUrl: `${HOOK}/${'x'.repeat(2000)}` },
		'at most 2000 are possible',
	],
	[
		'metadata without a URL',
		{ callbackUrl: '', ...values({ name: 'a', value: '1' }) },
		'Callback URL is empty',
	],
])('refuses %s before anything is charged', async (_, parameters, sentence) => {
	const failure = failureOf(await generate(parameters));
	expect(failure.message).toContain(sentence);
	expect(failure.description).toContain('No credits were spent.');
	expect(failure.context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
	expect(world.sandbox.ledger.posts()).toEqual([]);
});

it('starts nothing when one of several items has a URL that cannot be used', async () => {
	const failure = failureOf(
		await generate({ callbackUrl: '={{ $json.hook }}' }, [{ hook: HOOK }, { hook: 'nowhere' }]),
	);
	expect(failure.message).toContain('Callback URL "nowhere"');
	expect(failure.message).toContain('[item 1]');
	expect(world.sandbox.ledger.posts()).toEqual([]);
});

it('does not pay again on a retry because the metadata differs', async () => {
	world.sandbox.faults.on('generate', { kind: 'error', code: 'INSUFFICIENT_CREDITS' }, { nth: 2 });
	const failed = await generate(
		{ prompt: '={{ $json.prompt }}', ...values({ name: 'time', value: '={{ Math.random() }}' }) },
		[{ prompt: 'one' }, { prompt: 'two' }],
	);
	failureOf(failed);
	const again = await world.n8n.retry(failed);
	expect(again.json).toMatchObject([{ prompt: 'one' }, { prompt: 'two' }]);
	expect(world.sandbox.ledger.chargesWithPrompt('one')).toBe(1);
	expect(world.sandbox.ledger.chargesWithPrompt('two')).toBe(1);
});

it('is no part of Generate and Wait, which looks for itself', async () => {
	await world.run({ prompt: 'A boat', callbackUrl: HOOK, ...values({ name: 'a', value: '1' }) });
	expect(world.sandbox.ledger.posts()[0].body).not.toContain('callback_url');
});

it('shows the signed URL to nobody but the API, also not when the API repeats it', async () => {
	world.sandbox.faults.on('generate', {
		kind: 'refuse-with',
		status: 400,
		body: { code: 400, message: `Cannot use ${HOOK}?seedance_sig=${'s'.repeat(43)}` },
	});
	const refused = await generate({});
	expect(failureOf(refused).message).toContain('Cannot use');
	expect(refused.everything).not.toContain('s'.repeat(43));

	const run = await generate({ simplify: false });
	const status = await world.run({
		operation: 'status',
		taskId: String(run.json[0].task_id),
		simplify: false,
	});
	const signature = new URL(urls()[0]).searchParams.get('seedance_sig') ?? '';
	expect(signature).toHaveLength(43);
	expect(run.everything).not.toContain(signature);
	expect(status.everything).not.toContain(signature);
	expect(status.json[0]).toHaveProperty('request.prompt');
});
