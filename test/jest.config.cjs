// How jest runs the suites: one project per kind of test, each of them TypeScript through ts-jest.
const path = require('node:path');

/** Packages that mockttp needs and that are ES modules alone, which jest cannot load as they are. */
const ES_MODULES = '(get-port|milliparsec)/';

const common = {
	rootDir: path.join(__dirname, '..'),
	testEnvironment: 'node',
	// The recipes of n8n's versions are packages of the same name.
	modulePathIgnorePatterns: ['<rootDir>/.cache', '<rootDir>/test/support/n8n/\\d'],
	transform: {
		'^.+\\.[cm]?ts$': [
			'ts-jest',
			{ tsconfig: path.join(__dirname, 'tsconfig.json'), diagnostics: false },
		],
		[`/node_modules/${ES_MODULES}.+\\.js$`]: [
			'ts-jest',
			{ tsconfig: { allowJs: true, module: 'commonjs', target: 'es2022' }, diagnostics: false },
		],
	},
	transformIgnorePatterns: [`/node_modules/(?!${ES_MODULES})`],
	moduleFileExtensions: ['ts', 'cts', 'mts', 'js', 'cjs', 'mjs', 'json', 'node'],
	// `.cts` files import each other as `.cjs`, the name they have once compiled.
	moduleNameMapper: { '^(\\.{1,2}/.*)\\.cjs$': ['$1.cts', '$1.cjs'] },
};

const project = (displayName, extra = {}) => ({
	...common,
	displayName,
	testMatch: [`<rootDir>/test/${displayName}/**/*.test.{ts,cts}`],
	...extra,
});

module.exports = {
	rootDir: common.rootDir,
	projects: ['unit', 'integration', 'package', 'faults', 'e2e', 'editor', 'queue', 'compat'].map(
		(name) => project(name),
	),
	collectCoverageFrom: ['nodes/**/*.ts', 'credentials/**/*.ts'],
	coverageDirectory: '<rootDir>/coverage',
	coverageReporters: ['text', 'text-summary', 'json-summary'],
};
