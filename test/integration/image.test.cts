// The image a video starts from: a public link, or a file of the input item as a signed link to this n8n.
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';
import { mp4Of } from '../support/videoHost.cjs';

const world = seedanceWorld();
const { run, failure, posts } = world;
const PNG = Buffer.from('89504e470d0a1a0a', 'hex');
const FROM_FILE = { prompt: 'A boat', imageSource: 'binary' };
const GENERATE = { ...FROM_FILE, operation: 'generate' };
const FIELD = 'Input Data Field Name "data":';

const withFile = async (field = 'data', name = 'boat.png', type = 'image/png', bytes = PNG) => [
	{ json: {}, binary: { [field]: await world.n8n.storeFile(bytes, name, type) } },
];

/** The id of the file to which the signed link in the last POST leads. */
function linkedId(): string {
	const [, token] = String(posts().at(-1)?.body).match(/token=[\w-]+\.([\w-]+)\./) ?? [];
	return JSON.parse(Buffer.from(token, 'base64url').toString()).id;
}
const linkedBytes = async () =>
	await world.n8n.readFile({ data: '', mimeType: '', id: linkedId() });

it('an image link is sent as it is, and not where Image is set to None', async () => {
	const imageUrl = ' https://example.com/a b.png?x=1&y=%20 ';
	await run({ operation: 'generate', prompt: 'A', imageSource: 'url', imageUrl });
	expect(posts()[0].json).toMatchObject({ image_urls: [imageUrl.trim()] });
	await run({ operation: 'generate', prompt: 'A', imageSource: 'none', imageUrl });
	expect(posts()[1].body).not.toContain('image_urls');
});

describe('an image file', () => {
	it('is sent as a signed link to this n8n', async () => {
		await run({ ...GENERATE, imageBinaryField: 'photo' }, { items: await withFile('photo') });
		const link = /^http:\/\/127\.0\.0\.1:5678\/rest\/binary-data\/signed\?token=ey/;
		expect(posts()[0].json).toMatchObject({ image_urls: [expect.stringMatching(link)] });
	});

	it('that a form was sent is linked at a place where it stays, since n8n moves it', async () => {
		const sent = await world.n8n.storeFile(PNG, 'boat.png', 'image/png', 'temp');
		expect(sent.id).toContain('/temp/');
		await run(GENERATE, { items: [{ json: {}, binary: { data: sent } }] });
		expect(linkedId()).not.toContain('/temp/');
		expect((await linkedBytes()).equals(PNG)).toBe(true);
	});

	it('keeps its token out of the output, the errors and the log', async () => {
		const ended = await run({ ...FROM_FILE, simplify: false }, { items: await withFile() });
		const image_urls = ['http://127.0.0.1:5678/rest/binary-data/signed?token=***'];
		expect(ended.json[0]).toMatchObject({ request: { image_urls } });
		expect(ended.everything).not.toMatch(/token=ey/);
	});

	it('that is one too many for the model is refused by the field that names it', async () => {
		const file = await world.n8n.storeFile(PNG, 'boat.png', 'image/png');
		const items = [{ json: {}, binary: { a: file, b: file, c: file, d: file, e: file } }];
		for (const [model, imageBinaryField, says] of [
			['seedance-v1', 'a, b', 'names 2 files; Seedance (API v1) takes one.'],
			['seedance-2.0', 'a,b,c,d,e', 'names 5 files; Seedance 2.0 takes at most 4.'],
		]) {
			const { message } = await failure({ ...GENERATE, model, imageBinaryField }, { items });
			expect(message).toBe(`Input Data Field Name ${says}`);
		}
		expect(posts()).toEqual([]);
	});

	it('is the same image when the node is retried, although its link is another', async () => {
		const first = await run(
			{ ...FROM_FILE, options: { timeout: 0.1 } },
			{ items: await withFile() },
		);
		expect(failureOf(first).context).toMatchObject({ error_code: 'timeout' });
		// The time within a link counts in seconds.
		await new Promise((resolve) => setTimeout(resolve, 1000));
		expect((await world.n8n.retry(first)).json[0]).toMatchObject({ succeeded: true });
		expect(posts()).toHaveLength(1);
	});

	it.each([
		['application/octet-stream', false],
		['', false],
		['IMAGE/PNG', true],
	])('that n8n has as "%s" is served to the API as an image', async (type, isSame) => {
		const bytes = Buffer.concat([PNG, Buffer.alloc(2000)]);
		const items = await withFile('data', 'photo', type, bytes);
		await run(GENERATE, { items });
		expect(linkedId() === items[0].binary.data.id).toBe(isSame);
		const { mimeType } = await world.n8n.metadataOf(linkedId());
		expect(mimeType?.toLowerCase()).toBe('image/png');
		expect((await linkedBytes()).equals(bytes)).toBe(true);
	});

	it.each([
		['a web page', '<!DOCTYPE html><html></html>'],
		['a video', mp4Of(900)],
		['an empty file', ''],
	])('that is %s is refused before it costs, wherever n8n keeps it', async (kind, content) => {
		for (const inMemory of [false, true]) {
			world.n8n.binariesInMemory = inMemory;
			const items = await withFile('data', 'boat.png', 'image/png', Buffer.from(content));
			const { message, description, context } = await failure(FROM_FILE, { items });
			expect(message).toBe(`${FIELD} the file "boat.png" is ${kind}, not an image.`);
			expect(description).toContain('Use an image file such as JPEG, PNG or WebP.');
			expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
		}
		expect(posts()).toHaveLength(0);
	});

	it('that n8n has thrown away is named before anything is sent', async () => {
		const items = await withFile();
		items[0].binary.data.id = `${items[0].binary.data.id}0`;
		const { message } = await failure(FROM_FILE, { items });
		expect(message).toBe(`${FIELD} the file "boat.png" could not be read from n8n's store.`);
		expect(posts()).toHaveLength(0);
	});

	it.each([
		[0, 'nor any other file.'],
		[11, 'only in "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", 3 more.'],
	])('that is missing is named with the %i fields that do hold files', async (count, others) => {
		const [{ binary }] = await withFile('photo');
		const fields = Array.from({ length: count }, (_, n) => [`p${n}`, binary.photo]);
		const items = [{ json: {}, ...(count > 0 && { binary: Object.fromEntries(fields) }) }];
		const { message, description } = await failure(FROM_FILE, { items });
		expect(message).toBe(`${FIELD} the item has no file in that field, ${others}`);
		expect(description).toContain('Set it to the field of the previous node that holds the image.');
		expect(posts()).toHaveLength(0);
	});

	it('within the JSON is taken only where the workflow keeps its files there, so that nobody links to those of others', async () => {
		const [{ binary }] = await withFile();
		const items = [{ json: { photo: { ...binary.data } } }];
		const usual = await failure({ ...FROM_FILE, imageBinaryField: 'photo' }, { items });
		expect(usual.message).toContain('no file in that field, nor any other file.');
		expect(posts()).toHaveLength(0);
		const order = { items, settings: { binaryMode: 'combined' as const } };
		await run({ ...GENERATE, imageBinaryField: 'photo' }, order);
		expect(linkedId()).toBe(binary.data.id);
		const { message } = await failure(FROM_FILE, order);
		expect(message).toContain('the item has no file in that field, only in "photo".');
	});

	it('that n8n keeps in memory cannot be fetched, and says what to do instead', async () => {
		world.n8n.binariesInMemory = true;
		const { message, description } = await failure(FROM_FILE, { items: await withFile() });
		expect(message).toBe(
			`${FIELD} the file "boat.png" is only in n8n's memory, where the API cannot fetch it.`,
		);
		expect(description).toContain('N8N_DEFAULT_BINARY_DATA_MODE');
		expect(description).toContain('From URL');
		expect(posts()).toHaveLength(0);
	});

	it('on an n8n without a public address cannot be fetched by the public API', async () => {
		world.setCredential({ baseUrl: 'https://api.example.com/v1' });
		const { message, description, context } = await failure(FROM_FILE, { items: await withFile() });
		expect(message).toBe(
			`${FIELD} the Seedance API cannot fetch the file, because the address of this n8n is not public.`,
		);
		expect(description).toContain(
			'Set N8N_WEBHOOK_URL (WEBHOOK_URL before n8n 2.41) or N8N_EDITOR_BASE_URL',
		);
		expect(description).not.toContain('Correct the value');
		expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
	});
});
