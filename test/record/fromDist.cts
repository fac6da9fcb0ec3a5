// Puts the nodes of a built package in the place of their sources, and jest's mocks in the place of jest.
import { ModuleMocker } from 'jest-mock';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, resolve, sep } from 'node:path';

/** What the tests' engine loads of the package. A built file may stand in any folder: its name is what counts. */
const SOURCES = [
	'../../credentials/SeedanceApi.credentials',
	'../../nodes/Seedance/Seedance.node',
	'../../nodes/SeedanceTrigger/SeedanceTrigger.node',
	'../../nodes/shared/n8n/clock',
];

const load = createRequire(__filename);

/** Loads the built file of each source, once for both. */
function modulesFrom(folder: string): object[] {
	const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
	return SOURCES.map((source) => {
		const built = files.find((file) => basename(file) === `${basename(source)}.js`);
		if (!built) throw new Error(`${folder} has no ${basename(source)}.js`);
		const path = join(folder, built);
		const loaded: object = load(path);
		load.cache[load.resolve(source)] = load.cache[path];
		return loaded;
	});
}

/** Everything that is loaded after this gets the nodes of the built package in this folder. */
export function loadNodesFrom(dist: string): void {
	// Two copies of n8n's classes would not recognise each other's errors.
	const [own, theirs] = [load, createRequire(join(resolve(dist), 'index.js'))];
	if (own.resolve('n8n-workflow') !== theirs.resolve('n8n-workflow')) {
		throw new Error(`${dist} has another n8n-workflow: link its node_modules to this one's`);
	}
	const modules = modulesFrom(resolve(dist));
	const mocker = new ModuleMocker(globalThis);
	const spyOn = (given: object, name: never) => {
		// What a file imports as a namespace is a view of the module, which cannot be changed.
		const isView = (module: object) => Reflect.get(module, name) === Reflect.get(given, name);
		return mocker.spyOn(modules.find(isView) ?? given, name);
	};
	const jest = { spyOn, restoreAllMocks: () => mocker.restoreAllMocks() };
	Object.assign(globalThis, { jest });
}

/** Throws when a source of the package was loaded all the same: it belongs into the list above. */
export function expectNoSources(): void {
	const root = join(__dirname, '..', '..');
	const sources = ['nodes', 'credentials'].map((folder) => join(root, folder, sep));
	const loaded = Object.entries(load.cache).filter(
		([path, module]) => module?.filename === path && sources.some((one) => path.startsWith(one)),
	);
	if (loaded.length > 0) throw new Error(`Loaded from its source: ${loaded[0][0]}`);
}
