/** The name on every request is that of the package as it is published. */
import { homepage, name, version } from '../../package.json';
import { USER_AGENT } from '../../nodes/shared/api/userAgent';

it('names the package, its version and its homepage', () => {
	expect(USER_AGENT).toBe(`${name}/${version} (+${homepage.replace(/#.*$/, '')})`);
});
