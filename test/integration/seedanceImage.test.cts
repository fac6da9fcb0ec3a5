// The image a video starts from: a public link, or a file of the input item as a signed link to this n8n.
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';
import { mp4Of } from '../support/videoHost.cjs';

const world = seedanceWorld();
const posts = () => world.sandbox.ledger.posts();
const PNG = Buffer.from('89504e470d0a1a0a', 'hex');
const FROM_FILE = { prompt: 'A boat', imageSource: 'binary' };

const withFile = async (field = 'data', name = 'boat.png', type = 'image/png', bytes = PNG) => [
	{ json: {}, binary: { [field]: await world.n8n.storeFile(bytes, name, type) } },
];

/** The file that a signed link of this n8n leads to. */
function linkedFile(body: unknown): { id: string } {
	const [, token] = String(body).match(/token=[\w-]+\.([\w-]+)\./) ?? [];
	const { id }: { id: string } = JSON.parse(Buffer.from(token, 'base64url').toString());
	return { id };
}

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
		const { id } = linkedFile(posts()[0].body);
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
		['IMAGE/JPEG', 'ffd8ffe000104a464946'],
		['Image/Png', '89504e470d0a1a0a'],
		['image/jpg', '89504e470d0a1a0a'],
		['application/octet-stream', 'ffd8ffe1'],
		['application/octet-stream', '89504e470d0a1a0a'],
		['', '474946383961'],
		['text/plain', '52494646100000005745425056503820'],
		['binary/octet-stream', '0000001866747970686569630000'],
		['application/json', '49492a00'],
	])('is told by its first bytes, also when it is called "%s"', async (type, start) => {
		const bytes = Buffer.concat([Buffer.from(start, 'hex'), Buffer.alloc(2000)]);
		const items = await withFile('data', 'photo', type, bytes);
		const run = await world.run({ ...FROM_FILE, operation: 'generate' }, { items });
		expect(run.error).toBeUndefined();
		const { id } = linkedFile(posts()[0].body);
		const linked = await world.n8n.readFile({ data: '', mimeType: '', id });
		expect(linked.equals(bytes)).toBe(true);
	});

	it.each([
		['application/octet-stream', false],
		['', false],
		['IMAGE/PNG', true],
	])('that n8n has as "%s" is served to the API as an image', async (type, isSame) => {
		const items = await withFile('data', 'photo', type);
		await world.run({ ...FROM_FILE, operation: 'generate' }, { items });
		const { id } = linkedFile(posts()[0].body);
		expect(id === items[0].binary.data.id).toBe(isSame);
		expect((await world.n8n.metadataOf(id)).mimeType?.toLowerCase()).toBe('image/png');
	});

	it.each([
		['a web page', '<!DOCTYPE html><html></html>'],
		['an SVG drawing', '<svg xmlns="http://www.w3.org/2000/svg"></svg>'],
		['JSON', '{"error":"no such file"}'],
		['text', 'not an image at all'],
		['a PDF', '%PDF-1.7'],
		['a video', mp4Of(900)],
		['an empty file', ''],
	])(
		'that is %s is refused before it costs, although it is called image/png',
		async (kind, content) => {
			const items = await withFile('data', 'boat.png', 'image/png', Buffer.from(content));
			const { message, description, context } = failureOf(await world.run(FROM_FILE, { items }));
			expect(message).toBe(
				`Input Data Field Name "data": the file "boat.png" is ${kind}, not an image.`,
			);
			expect(description).toContain('Use an image file such as JPEG, PNG or WebP.');
			expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
			expect(posts()).toHaveLength(0);
		},
	);

	it('in memory is told by its first bytes too', async () => {
		world.n8n.binariesInMemory = true;
		const items = await withFile('data', 'a.png', 'image/png', Buffer.from('no image'));
		expect(failureOf(await world.run(FROM_FILE, { items })).message).toContain(
			'the file "a.png" is text, not an image.',
		);
	});

	it('that n8n has thrown away is named before anything is sent', async () => {
		const items = await withFile();
		items[0].binary.data.id = `${items[0].binary.data.id}0`;
		const { message } = failureOf(await world.run(FROM_FILE, { items }));
		expect(message).toBe(
			'Input Data Field Name "data": the file "boat.png" could not be read from n8n\'s store.',
		);
		expect(posts()).toHaveLength(0);
	});

	it('that is missing is named with the fields that do hold files', async () => {
		const [one] = await withFile('photo');
		const [two] = await withFile('logo');
		const items = [{ json: {}, binary: { ...one.binary, ...two.binary } }];
		const { message, description } = failureOf(await world.run(FROM_FILE, { items }));
		expect(message).toBe(
			'Input Data Field Name "data": the item has no file in that field, only in "photo", "logo".',
		);
		expect(description).toContain('Set it to the field of the previous node that holds the image.');
		expect(posts()).toHaveLength(0);
	});

	it('that is missing where there are many is named with some of them', async () => {
		const [{ binary }] = await withFile('photo');
		const many = Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`p${n}`, binary.photo]));
		const { message } = failureOf(
			await world.run(FROM_FILE, { items: [{ json: {}, binary: many }] }),
		);
		expect(message).toContain('only in "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", 3 more.');
	});

	it('in an item without files is named as such', async () => {
		const { message } = failureOf(await world.run(FROM_FILE, { items: [{ json: {} }] }));
		expect(message).toBe(
			'Input Data Field Name "data": the item has no file in that field, nor any other file.',
		);
	});

	it('within the JSON is taken where the workflow keeps its files there', async () => {
		const [{ binary }] = await withFile();
		const items = [{ json: { photo: { ...binary.data } } }];
		const order = { items, settings: { binaryMode: 'combined' as const } };
		await world.run({ ...FROM_FILE, operation: 'generate', imageBinaryField: 'photo' }, order);
		expect(linkedFile(posts()[0].body).id).toBe(binary.data.id);
		const { message } = failureOf(await world.run(FROM_FILE, order));
		expect(message).toContain('the item has no file in that field, only in "photo".');
	});

	it('within the JSON of a usual workflow is no file, so that nobody can link to a file of others', async () => {
		const [{ binary }] = await withFile();
		const items = [{ json: { photo: { ...binary.data } } }];
		const run = await world.run({ ...FROM_FILE, imageBinaryField: 'photo' }, { items });
		expect(failureOf(run).message).toContain('no file in that field, nor any other file.');
		expect(posts()).toHaveLength(0);
	});

	it('that n8n keeps in memory cannot be fetched, and says what to do instead', async () => {
		world.n8n.binariesInMemory = true;
		const run = await world.run(FROM_FILE, { items: await withFile() });
		const { message, description } = failureOf(run);
		expect(message).toBe(
			'Input Data Field Name "data": this n8n keeps files in memory, where the API cannot fetch them.',
		);
		expect(description).toContain('N8N_DEFAULT_BINARY_DATA_MODE');
		expect(description).toContain('From URL');
		expect(posts()).toHaveLength(0);
	});

	it('on an n8n without a public address cannot be fetched by the public API', async () => {
		world.n8n.credentials.set('Main account', {
			apiKey: world.sandbox.apiKey,
			baseUrl: 'https://api.example.com/v1',
		});
		const run = await world.run(FROM_FILE, { items: await withFile() });
		const { message, description, context } = failureOf(run);
		expect(message).toBe(
			'Input Data Field Name "data": the Seedance API cannot fetch the file, because the address of this n8n is not public.',
		);
		expect(description).toContain(
			'Set N8N_WEBHOOK_URL (WEBHOOK_URL before n8n 2.41) or N8N_EDITOR_BASE_URL',
		);
		expect(description).not.toContain('Correct the value');
		expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
	});
});
