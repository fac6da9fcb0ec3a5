// Each operation of the Seedance node in n8n's engine: what is sent, byte for byte, and what comes out.
import { NODE } from '../support/engine.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const bodies = () => world.sandbox.ledger.posts().map(({ body }) => body);
const ids = () => world.sandbox.tasks.all().map(({ id }) => id);

const FIELDS = [
	'task_id',
	'status',
	'finished',
	'succeeded',
	'video_url',
	'prompt',
	'consumed_credits',
	'estimated_credits',
	'created_at',
	'error_message',
];

describe('Generate and Wait', () => {
	it('makes a video, waits for it and hands it on as a file', async () => {
		const run = await world.run({ prompt: 'A boat' });
		const [id] = ids();
		expect(run.status).toBe('success');
		expect(run.items).toHaveLength(1);
		expect(run.json[0]).toEqual({
			task_id: id,
			status: 'SUCCESS',
			finished: true,
			succeeded: true,
			video_url: `${world.sandbox.origin}/videos/${id}.mp4`,
			prompt: 'A boat',
			consumed_credits: 28,
			estimated_credits: 28,
			created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
			error_message: null,
		});
		expect(Object.keys(run.json[0])).toEqual(FIELDS);
		expect(run.items[0].binary?.data).toMatchObject({
			fileName: `${id}.mp4`,
			mimeType: 'video/mp4',
			bytes: 200_000,
		});
		expect(run.reached('After')).toHaveLength(1);
		expect(world.sandbox.ledger.spent).toBe(28);
	});

	it('starts by itself when no operation was chosen', async () => {
		const run = await world.n8n.run({ parameters: { prompt: 'A boat' } });
		expect(run.json[0]).toMatchObject({ succeeded: true });
	});

	it('watches several videos together instead of one after the other, and keeps their order', async () => {
		const prompts = ['slow 0', 'fast 1', 'slow 2', 'fast 3', 'slow 4', 'slow 5'];
		world.sandbox.tasks.taskSeconds = ({ prompt }) => (prompt.startsWith('slow') ? 50 : 5);
		const run = await world.runPrompts(prompts);
		world.sandbox.tasks.taskSeconds = 12;
		// One after the other, the last would not be looked at before the first has ended.
		const { tasks, ledger } = world.sandbox;
		const firstEnd = Math.min(
			...tasks
				.all()
				.flatMap(({ order, endedAt }) => (order.prompt.startsWith('slow') ? (endedAt ?? 0) : [])),
		);
		const early = ledger.statusReads().filter(({ at }) => at < firstEnd);
		expect(new Set(early.map(({ taskId }) => taskId))).toEqual(new Set(ids()));
		expect(run.json.map(({ prompt }) => prompt)).toEqual(prompts);
		expect(run.items.map(({ pairedItem }) => pairedItem)).toEqual(
			prompts.map((_, item) => ({ item })),
		);
		expect(run.items.map(({ binary }) => binary?.data.fileName)).toEqual(
			ids().map((id) => `${id}.mp4`),
		);
	});

	it('gives the raw answer without the callback address when Simplify is off', async () => {
		const id = await world.existingTask({ callback_url: `${world.sandbox.elsewhere.origin}/hook` });
		const run = await world.run({ operation: 'wait', taskId: id, simplify: false });
		expect(run.json[0]).toEqual({
			task_id: id,
			status: 'SUCCESS',
			consumed_credits: 28,
			created_at: expect.any(String),
			request: {
				prompt: 'A task of yesterday',
				aspect_ratio: '1:1',
				resolution: '720p',
				duration: '8',
			},
			response: [expect.stringContaining(`${id}.mp4`)],
			error_message: null,
		});
	});

	it('understands other words for success and keeps them in the raw answer', async () => {
		world.sandbox.faults.on('generate', {
			kind: 'task',
			outcome: { status: 'SUCCESS', word: 'completed' },
		});
		const run = await world.run({ prompt: 'A boat', simplify: false });
		expect(run.json[0]).toMatchObject({ status: 'completed' });
		const read = await world.run({ operation: 'status', taskId: ids()[0] });
		expect(read.json[0]).toMatchObject({ status: 'SUCCESS', succeeded: true });
	});
});

describe('the request', () => {
	it('sends prompt, ratio, resolution and duration always, and nothing that is not set', async () => {
		await world.run({ operation: 'generate', prompt: 'A boat' });
		expect(bodies()).toEqual([
			'{"prompt":"A boat","aspect_ratio":"9:16","resolution":"720p","duration":"8"}',
		]);
	});

	it('sends every field under the name the API knows', async () => {
		await world.run({
			operation: 'generate',
			prompt: 'A boat',
			imageSource: 'url',
			imageUrl: 'http://127.0.0.1/a.png',
			aspectRatio: '21:9',
			resolution: '480p',
			duration: '12',
			generateAudio: true,
			fixedLens: true,
		});
		expect(bodies()).toEqual([
			'{"prompt":"A boat","aspect_ratio":"21:9","resolution":"480p","duration":"12","generate_audio":true,"fixed_lens":true,"image_urls":["http://127.0.0.1/a.png"]}',
		]);
	});

	it('tidies what sheets hold', async () => {
		await world.run(
			{
				operation: 'generate',
				prompt: 'A boat',
				aspectRatio: '={{ $json.ratio }}',
				resolution: '={{ $json.resolution }}',
				duration: '={{ $json.seconds }}',
				generateAudio: '={{ $json.audio }}',
			},
			{
				items: [
					{ json: { ratio: ' 16:9 ', resolution: ' 480P ', seconds: 4, audio: 'TRUE' } },
					{ json: { ratio: '1 : 1', resolution: 720, seconds: '12s', audio: 'no' } },
				],
			},
		);
		expect(bodies()).toEqual([
			'{"prompt":"A boat","aspect_ratio":"16:9","resolution":"480p","duration":"4","generate_audio":true}',
			'{"prompt":"A boat","aspect_ratio":"1:1","resolution":"720p","duration":"12"}',
		]);
	});

	it.each([2024, '2024', true, '0', '{"a":1}'])('keeps the prompt %j text', async (prompt) => {
		const run = await world.runPrompts([prompt], { parameters: { operation: 'generate' } });
		expect(run.status).toBe('success');
		expect(JSON.parse(bodies()[0])).toMatchObject({ prompt: String(prompt) });
	});

	it('sends the prompt as it was written, quotes, lines and emoji included', async () => {
		const prompt = '  "Boat"\n\ttwo \u{1F6A4} lines\\ ';
		await world.runPrompts([prompt], { parameters: { operation: 'generate' } });
		expect(JSON.parse(bodies()[0])).toMatchObject({ prompt });
	});

	it('goes out once per item, in order, each item paid by its own credential', async () => {
		world.n8n.credentials.set('Both accounts', {
			apiKey: `={{ $json.mine ? '${world.sandbox.apiKey}' : '${world.sandbox.otherAccount.apiKey}' }}`,
			baseUrl: `${world.sandbox.baseUrl}/`,
		});
		const run = await world.run(
			{ prompt: 'A boat' },
			{ credential: 'Both accounts', items: [{ json: { mine: true } }, { json: { mine: false } }] },
		);
		expect(run.status).toBe('success');
		expect(world.sandbox.ledger.posts().map(({ account }) => account)).toEqual(['main', 'other']);
	});
});

describe('Generate Without Waiting', () => {
	it('gives the task id at once, with what is known of the video', async () => {
		const run = await world.run({ operation: 'generate', prompt: 'A boat' });
		expect(run.json).toEqual([
			{
				task_id: ids()[0],
				status: 'IN_PROGRESS',
				finished: false,
				succeeded: false,
				video_url: null,
				prompt: 'A boat',
				consumed_credits: null,
				estimated_credits: 28,
				created_at: null,
				error_message: null,
			},
		]);
		expect(world.sandbox.ledger.statusReads()).toHaveLength(0);
	});

	it('writes every task id to the log, with credential, execution and item', async () => {
		const run = await world.runPrompts(['a', 'b'], { parameters: { operation: 'generate' } });
		const lines = run.logs.filter(({ level }) => level === 'info').map(({ text }) => text);
		expect(lines).toEqual(
			ids().map((id, item) =>
				expect.stringMatching(
					`^Seedance task ${id} created \\(credential "Main account", execution \\d+, item ${item}\\)$`,
				),
			),
		);
	});
});

describe('Get Status', () => {
	it('looks once and reports a running video', async () => {
		const id = await world.existingTask({ prompt: '[never] A boat' });
		const run = await world.run({ operation: 'status', taskId: id });
		expect(run.json[0]).toMatchObject({ task_id: id, status: 'IN_PROGRESS', finished: false });
		expect(world.sandbox.ledger.statusReads()).toHaveLength(1);
	});

	it('reports a failed video as an answer, not as an error', async () => {
		const id = await world.existingTask();
		world.sandbox.finish(id, { status: 'FAILED', errorMessage: 'Not allowed' });
		const run = await world.run({ operation: 'status', taskId: id });
		expect(run.status).toBe('success');
		expect(run.json[0]).toMatchObject({
			status: 'FAILED',
			finished: true,
			succeeded: false,
			error_message: 'Not allowed',
		});
		expect(run.json[0]).not.toHaveProperty('error_code');
	});

	it('takes the task id of each item and downloads only on request', async () => {
		const tasks = [await world.existingTask(), await world.existingTask({ duration: '4' })];
		tasks.forEach((id) => world.sandbox.finish(id));
		const items = tasks.map((task_id) => ({ json: { task_id } }));
		const run = await world.run({ operation: 'status' }, { items });
		expect(run.json.map(({ task_id }) => task_id)).toEqual(tasks);
		expect(run.json.map(({ estimated_credits }) => estimated_credits)).toEqual([28, 14]);
		expect(world.sandbox.ledger.videoReads()).toHaveLength(0);
		const loaded = await world.run({ operation: 'status', downloadVideo: true }, { items });
		expect(loaded.items.map(({ binary }) => binary?.data.fileName)).toEqual(
			tasks.map((id) => `${id}.mp4`),
		);
	});

	it('asks again after passing trouble', async () => {
		const id = await world.existingTask();
		world.sandbox.faults.on('status', { kind: 'server-error', status: 503 }, { times: 2 });
		world.sandbox.faults.on('status', { kind: 'reset' });
		const run = await world.run({ operation: 'status', taskId: id });
		expect(run.json[0]).toMatchObject({ task_id: id });
		expect(world.sandbox.ledger.statusReads()).toHaveLength(4);
	});
});

describe('Wait for Video', () => {
	it('waits for tasks of an earlier workflow without paying again', async () => {
		const tasks = [await world.existingTask(), await world.existingTask({ prompt: 'Another' })];
		const run = await world.run(
			{ operation: 'wait' },
			{ items: tasks.map((task_id) => ({ json: { task_id } })) },
		);
		expect(run.json.map(({ succeeded }) => succeeded)).toEqual([true, true]);
		expect(run.items.every(({ binary }) => binary?.data.bytes === 200_000)).toBe(true);
		expect(bodies()).toHaveLength(2);
	});

	it('waits for the same task twice when two items name it', async () => {
		const task_id = await world.existingTask();
		const run = await world.run(
			{ operation: 'wait', downloadVideo: false },
			{ items: [{ json: { task_id } }, { json: { task_id } }] },
		);
		expect(run.json.map((json) => json.task_id)).toEqual([task_id, task_id]);
	});
});

describe('Get Cost Estimate', () => {
	it('needs no credential and makes no request', async () => {
		const run = await world.run(
			{
				operation: 'estimateCost',
				resolution: '480p',
				duration: '={{ $json.seconds }}',
				generateAudio: true,
			},
			{ credential: null, items: [{ json: { seconds: 4 } }, { json: { seconds: '12' } }] },
		);
		expect(run.json).toEqual([
			{ estimated_credits: 14, resolution: '480p', duration: '4', generate_audio: true },
			{ estimated_credits: 38, resolution: '480p', duration: '12', generate_audio: true },
		]);
		expect(run.items.map(({ pairedItem }) => pairedItem)).toEqual([{ item: 0 }, { item: 1 }]);
	});

	it('names what it cannot estimate', async () => {
		const run = await world.run(
			{ operation: 'estimateCost', duration: '={{ $json.seconds }}' },
			{ credential: null, items: [{ json: { seconds: 7 } }] },
		);
		expect(failureOf(run).message).toBe(
			'Duration "7" is not supported. Allowed: 4, 8, 12 seconds.',
		);
	});

	it('names a field that cannot be read', async () => {
		const run = await world.run(
			{ operation: 'estimateCost', duration: "={{ $('Nowhere').item.json.x }}" },
			{ credential: null },
		);
		expect(failureOf(run).message).toMatch(/^Duration could not be read: .+/);
	});
});

describe('Options', () => {
	it('start nothing when all items together cost more than Maximum Credits per Run', async () => {
		const run = await world.runPrompts(['a', 'b', 'c'], {
			parameters: { options: { maxCredits: 83 } },
		});
		expect(failureOf(run).message).toContain(
			'The 3 videos would cost 84 credits, more than Maximum Credits per Run (83).',
		);
		expect(failureOf(run).context).toMatchObject({ error_code: 'over_limit', charged: 'no' });
		expect(failureOf(run).description).toContain('No credits were spent.');
		expect(bodies()).toEqual([]);
	});

	it('start everything when it costs exactly Maximum Credits per Run', async () => {
		const run = await world.runPrompts(['a', 'b', 'c'], {
			parameters: { operation: 'generate', options: { maxCredits: 84 } },
		});
		expect(run.json).toHaveLength(3);
	});

	it('name a single video that is too dear as a failed item when On Error continues', async () => {
		const run = await world.run(
			{ prompt: 'a', options: { maxCredits: 0 } },
			{ node: { onError: 'continueRegularOutput' } },
		);
		expect(run.json[0]).toMatchObject({
			error_code: 'over_limit',
			charged: 'no',
			error_message: expect.stringContaining('The video would cost 28 credits'),
		});
	});

	it('pause between groups of Items per Batch', async () => {
		const batching = { batch: { batchSize: 2, batchInterval: 15_000 } };
		await world.runPrompts(['a', 'b', 'c', 'd', 'e'], {
			parameters: { operation: 'generate', options: { batching } },
		});
		const at = world.sandbox.ledger.posts().map((post) => post.at);
		expect(at[2] - at[1]).toBeGreaterThanOrEqual(145);
		expect(at[4] - at[3]).toBeGreaterThanOrEqual(145);
	});

	it('make no groups of -1 items', async () => {
		const batching = { batch: { batchSize: -1, batchInterval: 900_000 } };
		const run = await world.runPrompts(['a', 'b', 'c'], {
			parameters: { operation: 'generate', options: { batching } },
		});
		expect(run.json).toHaveLength(3);
	});

	it.each(['generate', 'generateAndWait', 'wait'])(
		'that are no numbers are named by %s before anything is sent',
		async (operation) => {
			const options = { timeout: -1, pollInterval: 'soon', maxCredits: 'few' };
			const run = await world.run({ operation, prompt: 'a', taskId: 'x', options });
			const { message, description } = failureOf(run);
			expect(`${message} ${description}`).toMatch(
				/(?:Check Every \(Seconds\)|Maximum Credits per Run) must be a number from \d+ to \d+, not /,
			);
			expect(world.sandbox.ledger.posts()).toHaveLength(0);
		},
	);
});

it('names options that cannot be read', async () => {
	const run = await world.run({
		prompt: 'a',
		options: { timeout: "={{ $('Nowhere').item.json.x }}" },
	});
	expect(failureOf(run).message).toMatch(/^Timeout \(Minutes\) could not be read: /);
	expect(bodies()).toEqual([]);
});

it('takes switches from sheets, and the default for a word it does not know', async () => {
	const taskId = await world.existingTask();
	const words = ['no', 'yes', 'perhaps'];
	const run = await world.run(
		{
			operation: 'wait',
			taskId,
			simplify: '={{ $json.word }}',
			downloadVideo: '={{ $json.word }}',
		},
		{ items: words.map((word) => ({ json: { word } })) },
	);
	expect(run.json.map((json) => 'request' in json)).toEqual([true, false, false]);
	expect(run.items.map(({ binary }) => binary !== undefined)).toEqual([false, true, true]);
});

it('names an operation that does not exist', async () => {
	const run = await world.run({ operation: 'remove' });
	expect(failureOf(run)).toMatchObject({
		message: 'Operation "remove" does not exist in this node.',
		node: NODE,
	});
});

describe('fifty rows with odd characters', () => {
	const ODD = [
		'2024',
		'👩‍👩‍👧‍👦 "a" \\ b',
		"it's <b>bold</b> {curly} $json",
		'çığ öşü 漢字 \u202e',
		'a\nb\tc',
	];
	const prompts = Array.from({ length: 50 }, (_, row) => `${ODD[row % ODD.length]} ${row}`);

	it('come out whole, in their order, each paid for once', async () => {
		const run = await world.runPrompts(prompts);
		expect(run.json.map(({ prompt }) => prompt)).toEqual(prompts);
		expect(run.json.every(({ succeeded }) => succeeded === true)).toBe(true);
		expect(world.sandbox.ledger.posts().map(({ json }) => json)).toEqual(
			prompts.map((prompt) => expect.objectContaining({ prompt })),
		);
		expect(world.sandbox.ledger.charges()).toHaveLength(prompts.length);
	});
});
