/** What is published: nothing but the package, and all of it, loadable as n8n loads it. */
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join, posix } from 'node:path';
import {
	anchorsOf,
	filesUnder,
	packPackage,
	read as readFile,
	readManifest,
	ROOT,
	runTool,
} from './packed.cjs';

/** npm and Node are started here, on whatever machine this is (milliseconds). */
jest.setTimeout(60_000);

/** Below this the download is a moment on any connection. The mark of the benchmark is stricter. */
const LARGEST_TARBALL_BYTES = 85_000;

/** Patterns of the files, the hosts that a user meets, what files may require and what none may hold. */
const PUBLISHED: {
	/** What n8n brings and lets community nodes use. */
	mayRequire: string[];
	files: string[];
	hosts: string[];
	/** Of links that a message tells a person to use; only that one file may name them. */
	hostsInOneMessage: Record<string, string[]>;
	neverContains: Array<{ what: string; pattern: string }>;
} = JSON.parse(readFile('test/fixtures/package/published.json'));

/** The scripts that npm runs by itself, and the fields that would bring other packages along. */
const LIFECYCLE = /^(pre|post)?(install|prepare|pack)$|^prepublish(Only)?$|^dependencies$/;
const DEPENDENCIES = /^(optional|bundled|bundle)?dependencies$|^overrides$/i;

/** What n8n's loader sees of each class that package.json names. */
interface Loaded {
	file: string;
	description: {
		name: string;
		displayName: string;
		icon: { light: string; dark: string };
		properties: Array<{ name: string; type: string; options?: Array<{ value: string }> }>;
	};
}

describe('the packed package', () => {
	const packed = packPackage();
	const { folder, files } = packed;
	const manifest = readManifest(folder);
	const named = [...manifest.n8n.nodes, ...manifest.n8n.credentials];
	const read = (file: string) => readFile(join(folder, file));
	const inDist = files.filter((file) => file.startsWith('dist/'));
	const scripts = files.filter((file) => file.endsWith('.js'));
	afterAll(() => packed.remove());

	it('only code, codex files, output schemas, icons and the three files about it', () => {
		const isExpected = (file: string) =>
			PUBLISHED.files.some((pattern) => new RegExp(pattern).test(file));
		expect(files.filter((file) => !isExpected(file))).toEqual([]);
		expect(files.filter((file) => /test|sandbox|demo|coverage/i.test(file))).toEqual([]);
		expect(files).toEqual(expect.arrayContaining(['LICENSE.md', 'README.md', 'package.json']));
		expect(packed.bytes).toBeLessThan(LARGEST_TARBALL_BYTES);
	});

	it('every file that package.json names for n8n', () => {
		expect(files.filter((file) => /\.(node|credentials)\.js$/.test(file))).toEqual(
			[...named].sort(),
		);
	});

	it('the code of every source file, every output schema and icon, and nothing that was left over', () => {
		const built = filesUnder('nodes', 'credentials', 'icons')
			.filter((file) => /\.(ts|json|svg)$/.test(file))
			.map((file) => `dist/${file.replace(/\.ts$/, '.js')}`);
		expect(inDist).toEqual(built.sort());
	});

	it.each(manifest.n8n.nodes)('has a codex file beside %s, which names that node', (node) => {
		const codex = JSON.parse(read(node.replace(/\.js$/, '.json')));
		expect(codex).toHaveProperty('categories');
		const name = new RegExp(`\\.${posix.basename(node, '.node.js')}$`, 'i');
		expect(codex).toHaveProperty('node', expect.stringMatching(name));
	});

	it('names no host but the ones that a user meets', () => {
		const link = /\b(?:https?|wss?|git\+https):\/\/([a-z0-9][^/\s"'`)>\]:#?\\]*)/gi;
		const unknown = files.flatMap((file) =>
			[...read(file).matchAll(link)]
				.map(([, host]) => host)
				.filter((host) => !PUBLISHED.hosts.includes(host))
				.filter((host) => !PUBLISHED.hostsInOneMessage[file]?.includes(host))
				.map((host) => `${file}: ${host}`),
		);
		expect(unknown).toEqual([]);
	});

	it.each(PUBLISHED.neverContains)('does not hold $what', ({ pattern }) => {
		expect(files.filter((file) => new RegExp(pattern).test(read(file)))).toEqual([]);
	});

	it('writes nothing to the console', () => {
		expect(scripts.filter((file) => /\bconsole\s*[.[]/.test(read(file)))).toEqual([]);
	});

	it('requires at run time nothing but its own files and what n8n provides', () => {
		const isAllowed = (file: string, name?: string) => {
			if (!name?.startsWith('.')) return name !== undefined && PUBLISHED.mayRequire.includes(name);
			const path = posix.join(posix.dirname(file), name);
			return [path, `${path}.js`, `${path}/index.js`].some((one) => files.includes(one));
		};
		// One that is worked out at run time, or handed on under another name, has no name here.
		const loads = /\b(?:require|import)\b(?:\((["'])([^"']+)\1\))?/g;
		const refused = scripts.flatMap((file) =>
			[...read(file).matchAll(loads)].filter(([, , name]) => !isAllowed(file, name)),
		);
		expect(refused).toEqual([]);
	});

	describe('package.json', () => {
		it('is named and found as n8n wants it', () => {
			expect(manifest).toMatchObject({
				name: expect.stringMatching(/^n8n-nodes-[a-z-]+$/),
				keywords: expect.arrayContaining(['n8n-community-node-package', 'seedance']),
				description: expect.stringMatching(/^.{41,}$/),
				engines: { node: expect.stringMatching(/^>=\d+\.\d+$/) },
				files: ['dist'],
				n8n: { n8nNodesApiVersion: 1 },
			});
			expect(manifest).not.toHaveProperty('private');
		});

		it('is under the MIT licence, which lies beside it', () => {
			expect(manifest.license).toBe('MIT');
			expect(read('LICENSE.md')).toMatch(/^(# )?MIT License/i);
		});

		it('names one repository, everywhere, and headings of its README that exist', () => {
			const { repository, bugs, homepage, author } = manifest;
			const address = /https:\/\/github\.com\/[\w-]+\/[\w-]+(?=\.git")/.exec(
				JSON.stringify(repository),
			)?.[0];
			expect(repository).toEqual({ type: 'git', url: `git+${address}.git` });
			expect({ bugs, homepage }).toEqual({
				bugs: { url: `${address}/issues` },
				homepage: `${address}#readme`,
			});
			expect(author).toEqual({
				name: expect.stringMatching(/\w/),
				email: expect.stringMatching(/^[^@\s]+@[^@\s]+$/),
			});
			const links = inDist.flatMap((file) => [
				...read(file).matchAll(/(https:\/\/github\.com\/[\w-]+\/[\w-]+)(?:#([\w-]+))?/g),
			]);
			expect([...new Set(links.map(([, repo]) => repo))]).toEqual([address]);
			const anchors = links.flatMap(([, , anchor]) => anchor ?? []);
			const headings = [...anchorsOf(read('README.md')), 'readme'];
			expect(anchors).not.toEqual([]);
			expect(anchors.filter((anchor) => !headings.includes(anchor))).toEqual([]);
		});

		it('has no dependencies of its own', () => {
			expect(Object.keys(manifest).filter((field) => DEPENDENCIES.test(field))).toEqual([]);
			expect(manifest.peerDependencies).toEqual({ 'n8n-workflow': '*' });
		});

		it('asks for the strict rules, and runs nothing when it is installed or published', () => {
			expect(manifest.n8n.strict).toBe(true);
			expect(Object.keys(manifest.scripts).filter((name) => LIFECYCLE.test(name))).toEqual([]);
		});
	});

	describe('loaded as n8n loads it', () => {
		let loaded: Loaded[];

		/** In a Node of its own, where only what n8n would provide can be found. */
		beforeAll(() => {
			const provided = join(folder, 'node_modules');
			mkdirSync(provided, { recursive: true });
			for (const name of PUBLISHED.mayRequire) {
				const source = join(ROOT, 'node_modules', name);
				if (existsSync(source)) symlinkSync(source, join(provided, name), 'junction');
			}
			const script = `
				const loaded = ${JSON.stringify(named)}.map((file) => {
					const className = file.split('/').pop().split('.')[0];
					const instance = new (require('./' + file)[className])();
					return { file, description: instance.description ?? instance };
				});
				process.stdout.write(JSON.stringify(loaded));
			`;
			loaded = JSON.parse(runTool('node', ['-e', script], folder));
		});

		it('gives a description and a light and a dark icon of every node and credential', () => {
			expect(loaded.map(({ file }) => file)).toEqual(named);
			for (const { file, description } of loaded) {
				const { name, displayName, properties, icon } = description;
				expect(name.toLowerCase()).toBe(posix.basename(file).split('.')[0].toLowerCase());
				expect(displayName).toMatch(/^Seedance/);
				expect(properties.length).toBeGreaterThan(0);
				const icons = [icon.light, icon.dark].map((one) =>
					posix.join(posix.dirname(file), one.replace(/^file:/, '')),
				);
				expect(files).toEqual(expect.arrayContaining(icons));
				expect(read(icons[0])).not.toBe(read(icons[1]));
			}
		});

		it('has an output schema for every operation, which the editor can show', () => {
			for (const { file, description } of loaded.filter((one) => one.file.includes('/nodes/'))) {
				const operations = description.properties
					.filter(({ name, type }) => name === 'operation' && type === 'options')
					.flatMap(({ options = [] }) => options.map(({ value }) => value));
				const folder = `${posix.dirname(file)}/__schema__/v`;
				const schemas = files.filter((name) => name.startsWith(folder));
				expect(schemas.map((name) => posix.basename(name, '.json'))).toEqual(
					expect.arrayContaining(operations),
				);
				for (const schema of schemas) {
					expect(JSON.parse(read(schema))).toHaveProperty('type', 'object');
				}
			}
		});
	});
});

it.each(
	[
		'.',
		'test/gate',
		...readdirSync(join(ROOT, 'test/support/n8n')).map((n) => `test/support/n8n/${n}`),
	]
		.map((folder) => `${folder}/package-lock.json`)
		.filter((lock) => existsSync(join(ROOT, lock))),
)('the lock file %s does not say where its packages came from', (lock) => {
	expect(readFile(lock)).not.toContain('"resolved"');
});
