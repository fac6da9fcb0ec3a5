/** What is published: nothing but the package, and all of it, loadable as n8n loads it. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';
import { filesIn, packPackage, readJson, ROOT, runTool, type PackedPackage } from './packed.cjs';

/** npm and Node are started here, on whatever machine this is (milliseconds). */
jest.setTimeout(60_000);

/** Below this the download is a moment on any connection. The mark of the benchmark is stricter. */
const LARGEST_TARBALL_BYTES = 85_000;

/** What a published file may require: n8n-workflow, crypto, and what n8n brings and lets community nodes use. */
const MAY_REQUIRE = new Set([
	'n8n-workflow',
	'crypto',
	'node:crypto',
	'p-limit',
	'lodash',
	'luxon',
	'moment',
	'zod',
]);

/** Everything in the package that names a host names one of these. */
const KNOWN_HOSTS =
	/^(seedanceapi\.org|(raw\.)?github(usercontent)?\.com|([a-z]+\.)?n8n\.io|www\.w3\.org|json-schema\.org|(www\.)?npmjs\.com|nodejs\.org|([a-z-]+\.)?example\.(com|org)|localhost|127\.0\.0\.1)$/;

/** Hosts of links to files, which a message tells a person to use; only that one file may name them. */
const LINKS_IN_MESSAGES = {
	file: 'dist/nodes/shared/task/sharePage.js',
	hosts: ['drive.google.com', 'i.imgur.com', 'images.unsplash.com'],
};

const LIFECYCLE_SCRIPTS = [
	'preinstall',
	'install',
	'postinstall',
	'preprepare',
	'prepare',
	'postprepare',
	'prepublish',
	'prepublishOnly',
	'prepack',
	'postpack',
	'dependencies',
];

interface Manifest {
	name: string;
	scripts: Record<string, string>;
	peerDependencies: Record<string, string>;
	n8n: { strict: boolean; nodes: string[]; credentials: string[] };
	[field: string]: unknown;
}

function isManifest(value: unknown): value is Manifest {
	return (
		typeof value === 'object' &&
		value !== null &&
		['name', 'scripts', 'peerDependencies', 'n8n'].every((field) => field in value)
	);
}

function readManifest(folder: string): Manifest {
	const manifest = readJson(join(folder, 'package.json'));
	if (!isManifest(manifest)) throw new Error('package.json lacks one of its fields.');
	return manifest;
}

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

function isLoaded(value: unknown): value is Loaded[] {
	return (
		Array.isArray(value) &&
		value.every((loaded) => typeof loaded?.file === 'string' && loaded.description)
	);
}

describe('the packed package', () => {
	const packed = packPackage();
	const manifest = readManifest(packed.folder);

	const read = (file: string) => readFileSync(join(packed.folder, file), 'utf8');
	const ending = (suffix: string) => packed.files.filter((file) => file.endsWith(suffix));

	afterAll(() => packed.remove());

	describe('holds', () => {
		it('only code, codex files, output schemas, icons and the three files about it', () => {
			const unexpected = packed.files.filter(
				(file) =>
					!/^(package\.json|README\.md|LICENSE\.md)$/.test(file) &&
					!/^dist\/(nodes|credentials)\/.+\.js$/.test(file) &&
					!/^dist\/nodes\/[^/]+\/[^/]+\.node\.json$/.test(file) &&
					!/^dist\/nodes\/[^/]+\/__schema__\/.+\.json$/.test(file) &&
					!/^dist\/icons\/[^/]+\.svg$/.test(file),
			);
			expect(unexpected).toEqual([]);
		});

		it('what is about it', () => {
			expect(packed.files).toEqual(
				expect.arrayContaining(['LICENSE.md', 'README.md', 'package.json']),
			);
		});

		it('no tests and no test equipment', () => {
			expect(packed.files.filter((file) => /test|sandbox|demo|coverage/i.test(file))).toEqual([]);
		});

		it(`less than ${LARGEST_TARBALL_BYTES / 1000} kB`, () => {
			expect(packed.bytes).toBeLessThan(LARGEST_TARBALL_BYTES);
		});

		it('every file that package.json names for n8n', () => {
			const named = [...manifest.n8n.nodes, ...manifest.n8n.credentials];
			expect(named.length).toBeGreaterThanOrEqual(2);
			expect(packed.files).toEqual(expect.arrayContaining(named));
		});

		it('every node and credential that was built', () => {
			expect(ending('.node.js')).toEqual([...manifest.n8n.nodes].sort());
			expect(ending('.credentials.js')).toEqual([...manifest.n8n.credentials].sort());
		});

		it('the code of every source file, every output schema and icon, and nothing that was left over', () => {
			const built = ['nodes', 'credentials', 'icons'].flatMap((folder) =>
				filesIn(join(ROOT, folder))
					.filter((file) => /\.(ts|json|svg)$/.test(file))
					.map((file) => `dist/${folder}/${file.replace(/\.ts$/, '.js')}`),
			);
			expect(packed.files.filter((file) => file.startsWith('dist/'))).toEqual(built.sort());
		});

		it('a codex file beside every node, which names that node', () => {
			for (const node of manifest.n8n.nodes) {
				const codex = readJson(join(packed.folder, node.replace(/\.js$/, '.json')));
				expect(codex).toHaveProperty('categories');
				expect(codex).toHaveProperty(
					'node',
					expect.stringMatching(new RegExp(`\\.${posix.basename(node, '.node.js')}$`, 'i')),
				);
			}
		});
	});

	describe('keeps to itself', () => {
		it('no host but the ones that a user meets', () => {
			const unknown = packed.files.flatMap((file) =>
				[...read(file).matchAll(/\b(?:https?|wss?|git\+https):\/\/([a-z0-9][^/\s"'`)>\]:#?\\]*)/gi)]
					.map(([, host]) => host)
					.filter((host) => !KNOWN_HOSTS.test(host))
					.filter(
						(host) => file !== LINKS_IN_MESSAGES.file || !LINKS_IN_MESSAGES.hosts.includes(host),
					)
					.map((host) => `${file}: ${host}`),
			);
			expect(unknown).toEqual([]);
		});

		it.each([
			['a path of the machine it was built on', /(?<![\w.:/])\/(?:home|root|work|Users|tmp|opt)\//],
			['a switched-off lint rule', /eslint-disable/],
			['an embedded source map', /sourceMappingURL/],
			[
				'something like an API key',
				/\b(?:sk|pk|rk|key|ghp|npm)[-_][A-Za-z0-9]{16,}|\beyJ[\w-]{20,}/,
			],
			['a long hexadecimal secret', /\b[0-9a-f]{32,}\b/i],
		])('not %s', (_what, pattern) => {
			expect(packed.files.filter((file) => pattern.test(read(file)))).toEqual([]);
		});

		it('nothing on the console', () => {
			expect(ending('.js').filter((file) => /\bconsole\s*[.[]/.test(read(file)))).toEqual([]);
		});
	});

	it('requires at run time nothing but its own files and what n8n provides', () => {
		const refused = ending('.js').flatMap((file) =>
			modulesOf(file, read(file)).filter((name) => {
				if (name === undefined) return true;
				if (!name.startsWith('.')) return !MAY_REQUIRE.has(name);
				const path = posix.join(posix.dirname(file), name);
				return !packed.files.some((other) =>
					[path, `${path}.js`, `${path}/index.js`].includes(other),
				);
			}),
		);
		expect(refused).toEqual([]);
	});

	describe('package.json', () => {
		it('is named and found as n8n wants it', () => {
			expect(manifest.name).toMatch(/^n8n-nodes-[a-z-]+$/);
			expect(manifest.keywords).toEqual(
				expect.arrayContaining(['n8n-community-node-package', 'seedance']),
			);
			expect(String(manifest.description).length).toBeGreaterThan(40);
			expect(manifest.engines).toEqual({ node: expect.stringMatching(/^>=\d+\.\d+$/) });
			expect(manifest).toMatchObject({ files: ['dist'], n8n: { n8nNodesApiVersion: 1 } });
			expect(manifest).not.toHaveProperty('private');
		});

		it('is under the MIT licence, which lies beside it', () => {
			expect(manifest.license).toBe('MIT');
			expect(read('LICENSE.md')).toMatch(/^(# )?MIT License/i);
		});

		it('names one repository, everywhere', () => {
			const { repository, bugs, homepage, author } = manifest;
			expect(repository).toEqual({
				type: 'git',
				url: expect.stringMatching(/^git\+https:\/\/github\.com\/[\w-]+\/[\w-]+\.git$/),
			});
			const address = JSON.stringify(repository).match(/https:\/\/[^"]+(?=\.git)/)?.[0] ?? '';
			expect(bugs).toEqual({ url: `${address}/issues` });
			expect(homepage).toBe(`${address}#readme`);
			expect(author).toEqual({
				name: expect.stringMatching(/\w/),
				email: expect.stringMatching(/^[^@\s]+@[^@\s]+$/),
			});
			const linked = packed.files
				.filter((file) => file.startsWith('dist/'))
				.flatMap((file) => read(file).match(/https:\/\/github\.com\/[\w-]+\/[\w-]+/g) ?? []);
			expect([...new Set(linked)]).toEqual([address]);
		});

		it('leads to headings of its README that exist', () => {
			const headings = [...read('README.md').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
				heading
					.toLowerCase()
					.replace(/[^\w\s-]/g, '')
					.replace(/\s/g, '-'),
			);
			const anchors = packed.files
				.filter((file) => file.startsWith('dist/'))
				.flatMap((file) =>
					[...read(file).matchAll(/github\.com\/[\w-]+\/[\w-]+#([\w-]+)/g)].map(([, one]) => one),
				);
			expect(anchors).not.toEqual([]);
			expect(anchors.filter((one) => ![...headings, 'readme'].includes(one))).toEqual([]);
		});

		it('has no dependencies of its own', () => {
			for (const field of [
				'dependencies',
				'optionalDependencies',
				'bundledDependencies',
				'bundleDependencies',
				'overrides',
			]) {
				expect(manifest).not.toHaveProperty(field);
			}
			expect(manifest.peerDependencies).toEqual({ 'n8n-workflow': '*' });
		});

		it('runs nothing when it is installed or published', () => {
			expect(
				Object.keys(manifest.scripts).filter((name) => LIFECYCLE_SCRIPTS.includes(name)),
			).toEqual([]);
		});

		it('asks for the strict rules', () => {
			expect(manifest.n8n.strict).toBe(true);
		});
	});

	describe('loaded as n8n loads it', () => {
		let loaded: Loaded[];

		beforeAll(() => {
			loaded = load(packed, manifest);
		});

		it('gives a description of every node and credential', () => {
			expect(loaded.map(({ file }) => file)).toEqual([
				...manifest.n8n.nodes,
				...manifest.n8n.credentials,
			]);
			for (const { file, description } of loaded) {
				const className = posix.basename(file).split('.')[0];
				expect(description.name.toLowerCase()).toBe(className.toLowerCase());
				expect(description.displayName).toMatch(/^Seedance/);
				expect(description.properties.length).toBeGreaterThan(0);
			}
		});

		it('finds its icons, a light and a dark one, beside itself', () => {
			for (const { file, description } of loaded) {
				const icons = [description.icon.light, description.icon.dark].map((icon) =>
					posix.join(posix.dirname(file), icon.replace(/^file:/, '')),
				);
				expect(packed.files).toEqual(expect.arrayContaining(icons));
				expect(read(icons[0])).not.toBe(read(icons[1]));
			}
		});

		it('has an output schema for every operation, which the editor can show', () => {
			for (const { file, description } of loaded) {
				const operations = description.properties
					.filter(({ name, type }) => name === 'operation' && type === 'options')
					.flatMap(({ options = [] }) => options.map(({ value }) => value));
				const schemas = packed.files.filter((name) =>
					name.startsWith(`${posix.dirname(file)}/__schema__/v`),
				);
				if (!file.includes('/nodes/')) continue;
				expect(schemas.map((name) => posix.basename(name, '.json'))).toEqual(
					expect.arrayContaining(operations),
				);
				for (const schema of schemas) {
					expect(readJson(join(packed.folder, schema))).toHaveProperty('type', 'object');
				}
			}
		});
	});
});

describe('the lock files', () => {
	const folders = [
		'.',
		'test/gate',
		...readdirSync(join(ROOT, 'test/support/n8n'), { withFileTypes: true })
			.filter((entry) => entry.isDirectory())
			.map((entry) => `test/support/n8n/${entry.name}`)
			.filter((folder) => existsSync(join(ROOT, folder, 'package-lock.json'))),
	];

	it.each(folders)('of %s does not say where its packages came from', (folder) => {
		const lock = readFileSync(join(ROOT, folder, 'package-lock.json'), 'utf8');
		expect(lock).not.toContain('"resolved"');
	});
});

/** The modules that a file requires or imports; undefined for one that it works out at run time. */
function modulesOf(file: string, text: string): Array<string | undefined> {
	const found: Array<string | undefined> = [];
	const visit = (node: ts.Node): void => {
		if (ts.isCallExpression(node)) {
			const { expression, arguments: args } = node;
			const requires =
				(ts.isIdentifier(expression) && expression.text === 'require') ||
				expression.kind === ts.SyntaxKind.ImportKeyword ||
				(ts.isPropertyAccessExpression(expression) &&
					expression.expression.getText() === 'require');
			if (requires)
				found.push(args[0] && ts.isStringLiteralLike(args[0]) ? args[0].text : undefined);
		} else if (
			ts.isIdentifier(node) &&
			node.text === 'require' &&
			!ts.isCallExpression(node.parent)
		) {
			// Handed on under another name, nobody can tell what it loads.
			if (!ts.isPropertyAccessExpression(node.parent)) found.push(undefined);
		} else if (
			(ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
			node.moduleSpecifier &&
			ts.isStringLiteral(node.moduleSpecifier)
		) {
			found.push(node.moduleSpecifier.text);
		}
		ts.forEachChild(node, visit);
	};
	visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS));
	return found;
}

/** Loads every class in a Node of its own, where only what n8n would provide can be found. */
function load({ folder }: PackedPackage, { n8n }: Manifest): Loaded[] {
	const provided = join(folder, 'node_modules');
	mkdirSync(provided, { recursive: true });
	for (const name of MAY_REQUIRE) {
		const source = join(ROOT, 'node_modules', name);
		if (existsSync(source)) symlinkSync(source, join(provided, name), 'junction');
	}
	const files = [...n8n.nodes, ...n8n.credentials];
	const script = `
		const loaded = ${JSON.stringify(files)}.map((file) => {
			const className = file.split('/').pop().split('.')[0];
			const instance = new (require('./' + file)[className])();
			return { file, description: instance.description ?? instance };
		});
		process.stdout.write(JSON.stringify(loaded));
	`;
	const loaded: unknown = JSON.parse(runTool('node', ['-e', script], folder));
	if (!isLoaded(loaded)) throw new Error('A file of the package has no class with a description.');
	return loaded;
}
