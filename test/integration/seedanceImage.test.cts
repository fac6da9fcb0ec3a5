// The image a video starts from: a public link, or a file of the input item as a signed link to this n8n.
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const posts = () => world.sandbox.ledger.posts();
const PNG = Buffer.from('89504e470d0a1a0a', 'hex');
const FROM_FILE = { prompt: 'A boat', imageSource: 'binary' };

const withFile = async (field = 'data', name = 'boat.png', type = 'image/png') => [
	{ json: {}, binary: { [field]: await world.n8n.storeFile(PNG, name, type) } },
];

describe('an image link', () => {
	it('is sent as it is', async () => {
		const imageUrl = ' https://example.com/a b.png?x=1&y=%20 ';
		await world.run({ operation: 'generate', prompt: 'A', imageSource: 'url', imageUrl });
		expect(posts()[0].json).toMatchObject({ image_urls: [imageUrl.trim()] });
	});

	it.each([
		['data:image/png;base64,AAAA', /data URI/],
		['ftp://example.com/a.png', /is not a web link/],
		['https://me:secret@example.com/a.png', /holds a user name or password/],
	])('that the API cannot take is refused before anything is sent: %s', async (imageUrl, why) => {
		const run = await world.run({ prompt: 'A', imageSource: 'url', imageUrl });
		expect(failureOf(run).message).toMatch(why);
		expect(posts()).toHaveLength(0);
	});

	it('is left out again when Image is set to None', async () => {
		const imageUrl = 'https://example.com/a.png';
		await world.run({ operation: 'generate', prompt: 'A', imageSource: 'none', imageUrl });
		expect(posts()[0].body).not.toContain('image_urls');
	});
});

describe('an image file', () => {
	it('is sent as a signed link to this n8n', async () => {
		const items = await withFile('photo');
		await world.run({ ...FROM_FILE, operation: 'generate', imageBinaryField: 'photo' }, { items });
		expect(posts()[0].json).toMatchObject({
			image_urls: [
				expect.stringMatching(/^http:\/\/localhost:5678\/rest\/binary-data\/signed\?token=ey/),
			],
		});
	});

	it('that a form was sent is linked at a place where it stays, since n8n moves it', async () => {
		const sent = await world.n8n.storeFile(PNG, 'boat.png', 'image/png', 'temp');
		expect(sent.id).toContain('/temp/');
		const items = [{ json: {}, binary: { data: sent } }];
		await world.run({ ...FROM_FILE, operation: 'generate' }, { items });
		const [, token] = String(posts()[0].body).match(/token=[\w-]+\.([\w-]+)\./) ?? [];
		const { id }: { id: string } = JSON.parse(Buffer.from(token, 'base64url').toString());
		expect(id).not.toContain('/temp/');
		const stored = await world.n8n.readFile({ ...sent, id });
		expect(stored.equals(PNG)).toBe(true);
	});

	it('keeps its token out of the output, the errors and the log', async () => {
		const run = await world.run({ ...FROM_FILE, simplify: false }, { items: await withFile() });
		expect(run.json[0]).toMatchObject({
			request: { image_urls: ['http://localhost:5678/rest/binary-data/signed?token=***'] },
		});
		expect(run.everything).not.toMatch(/token=ey/);
	});

	it('is the same image when the node is retried, although its link is another', async () => {
		const run = await world.run(
			{ ...FROM_FILE, options: { timeout: 0.1 } },
			{ items: await withFile() },
		);
		expect(failureOf(run).context).toMatchObject({ error_code: 'timeout' });
		await new Promise((resolve) => setTimeout(resolve, 1000));
		const retried = await world.n8n.retry(run);
		expect(retried.json[0]).toMatchObject({ succeeded: true });
		expect(posts()).toHaveLength(1);
	});

	it.each([
		[
			'is not there',
			async () => [{ json: {} }],
			/"data": the item has no file in that field\. Set it/,
		],
		[
			'is no image',
			async () => await withFile('data', 'a.pdf', 'application/pdf'),
			/"data": the file is application\/pdf, not an image/,
		],
	])('that %s is named before anything is sent', async (_, items, why) => {
		const run = await world.run(FROM_FILE, { items: await items() });
		expect(failureOf(run).message).toMatch(why);
		expect(posts()).toHaveLength(0);
	});

	it('that n8n keeps in memory cannot be fetched, and says what to do instead', async () => {
		world.n8n.binariesInMemory = true;
		const { message } = failureOf(await world.run(FROM_FILE, { items: await withFile() }));
		expect(message).toContain('keeps files in memory, where the API cannot fetch them');
		expect(message).toContain('N8N_DEFAULT_BINARY_DATA_MODE');
		expect(message).toContain('From URL');
		expect(posts()).toHaveLength(0);
	});

	it('on an n8n without a public address cannot be fetched by the public API', async () => {
		world.n8n.credentials.set('Main account', {
			apiKey: world.sandbox.apiKey,
			baseUrl: 'https://api.example.com/v1',
		});
		const { message, context } = failureOf(await world.run(FROM_FILE, { items: await withFile() }));
		expect(message).toContain('because the address of this n8n is not public');
		expect(message).toContain('Set WEBHOOK_URL or N8N_EDITOR_BASE_URL');
		expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
	});
});
