/** What is published: nothing but the package, and all of it, loadable as n8n loads it. */
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
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
const LARGEST_TARBALL_BYTES = 135_000;

/** Patterns of the files, the hosts that a user meets, what files may require and what none may hold. */
const PUBLISHED: {
	/** What n8n brings and lets community nodes use. */
	mayRequire: string[];
	files: string[];
	hosts: string[];
	/** Of links that a message asks a person to use; only that one file may name them. */
	hostsInOneMessage: Record<string, string[]>;
	neverContains: Array<{ what: string; pattern: string; within?: string }>;
} = JSON.parse(readFile('test/fixtures/package/published.json'));

/** The scripts that npm runs by itself, and the fields that would bring other packages along. */
const LIFECYCLE = /^(pre|post)?(install|prepare|pack)$|^prepublish(Only)?$|^dependencies$/;
const UNWANTED = /^(optional|bundled|bundle)?dependencies$|^overrides$|^private$/i;

describe('the packed package', () => {
	const packed = packPackage();
	const { folder, files } = packed;
	const manifest = readManifest(folder);
	const named = [...manifest.n8n.nodes, ...manifest.n8n.credentials];
	const read = (file: string) => readFile(join(folder, file));
	const inDist = files.filter((file) => file.startsWith('dist/'));
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
		const loaded = files.filter((file) => /\.(node|credentials)\.js$/.test(file));
		expect(loaded).toEqual([...named].sort());
		for (const node of manifest.n8n.nodes) {
			const codex = JSON.parse(read(node.replace(/\.js$/, '.json')));
			expect(codex).toHaveProperty('categories');
			const name = new RegExp(`\\.${posix.basename(node, '.node.js')}$`, 'i');
			expect(codex).toHaveProperty('node', expect.stringMatching(name));
		}
	});

	it('the code of every source file, every output schema and icon, and nothing that was left over', () => {
		const built = filesUnder('nodes', 'credentials', 'icons')
			.filter((file) => /\.(ts|json|svg)$/.test(file))
			.map((file) => `dist/${file.replace(/\.ts$/, '.js')}`);
		expect(inDist).toEqual(built.sort());
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

	it.each(PUBLISHED.neverContains)('does not hold $what', ({ pattern, within = '' }) => {
		const searched = files.filter((file) => file.endsWith(within));
		expect(searched.filter((file) => new RegExp(pattern).test(read(file)))).toEqual([]);
	});

	it('requires at run time nothing but its own files and what n8n provides', () => {
		const isAllowed = (file: string, name?: string) => {
			if (!name?.startsWith('.')) return name !== undefined && PUBLISHED.mayRequire.includes(name);
			const path = posix.join(posix.dirname(file), name);
			return [path, `${path}.js`, `${path}/index.js`].some((one) => files.includes(one));
		};
		// One that is worked out at run time, or handed on under another name, has no name here.
		const loads = /\b(?:require|import)\b(?:\((["'])([^"']+)\1\))?/g;
		const refused = files
			.filter((file) => file.endsWith('.js'))
			.flatMap((file) =>
				[...read(file).matchAll(loads)].filter(([, , name]) => !isAllowed(file, name)),
			);
		expect(refused).toEqual([]);
	});

	it('has a package.json as n8n wants it: MIT, strict, without dependencies, running nothing by itself', () => {
		expect(manifest).toMatchObject({
			name: expect.stringMatching(/^n8n-nodes-[a-z-]+$/),
			keywords: expect.arrayContaining(['n8n-community-node-package', 'seedance']),
			description: expect.stringMatching(/^.{41,}$/),
			license: 'MIT',
			engines: { node: expect.stringMatching(/^>=\d+\.\d+$/) },
			files: ['dist'],
			n8n: { n8nNodesApiVersion: 1, strict: true },
		});
		expect(read('LICENSE.md')).toMatch(/^(# )?MIT License/i);
		expect(Object.keys(manifest).filter((field) => UNWANTED.test(field))).toEqual([]);
		expect(manifest.peerDependencies).toEqual({ 'n8n-workflow': '*' });
		expect(Object.keys(manifest.scripts).filter((name) => LIFECYCLE.test(name))).toEqual([]);
	});

	it('names one repository, everywhere, and headings of its README that exist', () => {
		const { repository, bugs, homepage, author } = manifest;
		const links = inDist.flatMap((file) => [
			...read(file).matchAll(/(https:\/\/github\.com\/[\w-]+\/[\w-]+)(?:#([\w-]+))?/g),
		]);
		const [address, ...others] = new Set(links.map(([, repo]) => repo));
		expect({ others, repository, bugs, homepage, author }).toEqual({
			others: [],
			repository: { type: 'git', url: `git+${address}.git` },
			bugs: { url: `${address}/issues` },
			homepage: `${address}#readme`,
			author: {
				name: expect.stringMatching(/\w/),
				email: expect.stringMatching(/^[^@\s]+@[^@\s]+$/),
			},
		});
		const anchors = links.flatMap(([, , anchor]) => anchor ?? []);
		const headings = [...anchorsOf(read('README.md')), 'readme'];
		expect(anchors).not.toEqual([]);
		expect(anchors.filter((anchor) => !headings.includes(anchor))).toEqual([]);
	});

	it('loads in a Node where only what n8n provides can be found, with a light and a dark icon each', () => {
		mkdirSync(join(folder, 'node_modules'));
		for (const name of PUBLISHED.mayRequire.map((name) => join('node_modules', name))) {
			if (existsSync(join(ROOT, name)))
				symlinkSync(join(ROOT, name), join(folder, name), 'junction');
		}
		const script = `
			const loaded = ${JSON.stringify(named)}.map((file) => {
				const className = file.split('/').pop().split('.')[0];
				const instance = new (require('./' + file)[className])();
				return { file, ...(instance.description ?? instance) };
			});
			process.stdout.write(JSON.stringify(loaded));
		`;
		/** What n8n's loader sees of each class that package.json names. */
		const loaded: Array<{
			file: string;
			name: string;
			icon: { light: string; dark: string };
		}> = JSON.parse(runTool('node', ['-e', script], folder));
		expect(loaded.map(({ file }) => file)).toEqual(named);
		for (const { file, name, icon } of loaded) {
			expect(name.toLowerCase()).toBe(posix.basename(file).split('.')[0].toLowerCase());
			const icons = [icon.light, icon.dark].map((one) =>
				posix.join(posix.dirname(file), one.replace(/^file:/, '')),
			);
			expect(files).toEqual(expect.arrayContaining(icons));
			expect(read(icons[0])).not.toBe(read(icons[1]));
		}
	});
});

it.each(
	filesUnder('test')
		.concat('package-lock.json')
		.filter((file) => file.endsWith('package-lock.json')),
)('the lock file %s does not say where its packages came from', (lock) =>
	expect(readFile(lock)).not.toContain('"resolved"'),
);
