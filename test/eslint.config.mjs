/**
 * ESLint for everything under test/: `eslint -c test/eslint.config.mjs test`. The product has n8n's rules, in the
 * eslint.config.mjs of the root, which n8n's tool compares with its own and which stays as it is.
 */
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Node's own names, for the scripts that TypeScript does not check. */
const node = Object.getOwnPropertyNames(globalThis).concat('require', 'module', '__dirname');

export default tseslint.config(
	{ ignores: ['test/fixtures/**'] },
	// A rule that a comment could switch off holds for nobody.
	{ linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' } },
	js.configs.recommended,
	{
		files: ['**/*.{js,cjs,mjs}'],
		languageOptions: { globals: Object.fromEntries(node.map((name) => [name, 'readonly'])) },
	},
	{
		files: ['**/*.{ts,cts,mts}'],
		extends: [tseslint.configs.recommended],
		languageOptions: {
			parserOptions: { project: 'tsconfig.json', tsconfigRootDir: import.meta.dirname },
		},
		rules: {
			'@typescript-eslint/no-floating-promises': 'error',
			'@typescript-eslint/no-unused-vars': [
				'error',
				{
					argsIgnorePattern: '^_',
					destructuredArrayIgnorePattern: '^_',
					ignoreRestSiblings: true,
					varsIgnorePattern: '^_$',
				},
			],
			'@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
		},
	},
	{
		// A random test that draws its own seed could not be repeated, and would make CI a matter of luck.
		files: ['**/*.{ts,cts}'],
		ignores: ['test/support/fastCheck.cts'],
		rules: {
			'no-restricted-imports': [
				'error',
				{
					name: 'fast-check',
					message: 'Take it from test/support/fastCheck.cts, which sets the seed.',
				},
			],
		},
	},
	{
		files: ['**/*.test.{ts,cts}', '**/*.suite.cts'],
		rules: {
			'no-restricted-properties': [
				'error',
				...['describe', 'it', 'test'].flatMap((object) =>
					['only', 'skip', 'todo'].map((property) => ({ object, property })),
				),
			],
		},
	},
);
